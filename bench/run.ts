// npm run -s bench -- NAME [--json]: runs one benchmark and prints its figures.
interface Bench {
  measure(): Promise<unknown>;
  say(result: never): string;
}

// Each is loaded when it is asked for: what one needs does not lie in the memory of another.
const benches: Record<string, () => Promise<Bench>> = {
  async path() {
    const { measurePath, sayPath } = await import('./path.ts');
    return { measure: measurePath, say: sayPath };
  },
  async delivery() {
    const { measureDelivery, sayDelivery } = await import('./delivery.ts');
    return { measure: measureDelivery, say: sayDelivery };
  },
  async segments() {
    const { measureSegments, saySegments } = await import('./segments.ts');
    return { measure: measureSegments, say: saySegments };
  },
  async decide() {
    const { measureDecide, sayDecide } = await import('./decide.ts');
    return { measure: measureDecide, say: sayDecide };
  },
  async turns() {
    const { measureTurns, sayTurns } = await import('./turns.ts');
    return { measure: measureTurns, say: sayTurns };
  },
  async insight() {
    const { measureInsight, sayInsight } = await import('./insight.ts');
    return { measure: measureInsight, say: sayInsight };
  },
};

const [name, ...flags] = process.argv.slice(2);
const open = name === undefined || !Object.hasOwn(benches, name) ? undefined : benches[name];
if (open === undefined || flags.some((flag) => flag !== '--json')) {
  console.error(`usage: npm run -s bench -- NAME [--json]\nbenchmarks: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
const bench = await open();
const result = await bench.measure();
console.log(flags.includes('--json') ? JSON.stringify(result) : bench.say(result as never));
