// The main job's figures: all three kinds of campaign sent, nothing dead, and models that rules read.
import { readFileSync } from 'node:fs';

const out = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const faults = ['cross-sell', 'up-sell', 'retention']
  .filter((aim) => !(out.sentByAim?.[aim] > 0))
  .map((aim) => `no ${aim} mail`);
if (out.deadLetters !== 0) faults.push(`dead letters: ${out.deadLetters}`);
if (!(out.contacts > 0)) faults.push('no contacts');
for (const part of ['rfm', 'purchases', 'spend', 'margin', 'deciles', 'next'])
  if (!out.insight?.parts?.includes(part)) faults.push(`no model of ${part}`);
// Their rules read what models say.
for (const segment of ['vip', 'lost-champions'])
  if (!(out.segments?.[segment] > 0)) faults.push(`nobody in ${segment}`);
if (!(out.tiers?.gold > 0)) faults.push('nobody is in tier gold');
console.log(
  JSON.stringify({
    contacts: out.contacts,
    orders: out.orders,
    sentByAim: out.sentByAim,
    deadLetters: out.deadLetters,
    insight: out.insight,
    tiers: out.tiers,
  }),
);
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
