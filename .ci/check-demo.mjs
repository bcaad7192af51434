// The main job's figures: all three kinds of campaign sent, nothing dead.
import { readFileSync } from 'node:fs';

const out = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const faults = ['cross-sell', 'up-sell', 'retention']
  .filter((aim) => !(out.sentByAim?.[aim] > 0))
  .map((aim) => `no ${aim} mail`);
if (out.deadLetters !== 0) faults.push(`dead letters: ${out.deadLetters}`);
if (!(out.contacts > 0)) faults.push('no contacts');
console.log(
  JSON.stringify({
    contacts: out.contacts,
    orders: out.orders,
    sentByAim: out.sentByAim,
    deadLetters: out.deadLetters,
  }),
);
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
