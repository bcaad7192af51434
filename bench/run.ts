// npm run -s bench -- NAME [--json]: runs one benchmark and prints its figures.
import { measureDelivery, sayDelivery } from './delivery.ts';
import { measurePath, sayPath } from './path.ts';

const benches: Record<string, { measure(): Promise<unknown>; say(result: never): string }> = {
  path: { measure: measurePath, say: sayPath },
  delivery: { measure: measureDelivery, say: sayDelivery },
};

const [name, ...flags] = process.argv.slice(2);
const bench = name === undefined ? undefined : benches[name];
if (bench === undefined || flags.some((flag) => flag !== '--json')) {
  console.error(`usage: npm run -s bench -- NAME [--json]\nbenchmarks: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
const result = await bench.measure();
console.log(flags.includes('--json') ? JSON.stringify(result) : bench.say(result as never));
