// Groups of a real wholesaler's customers are found again: by nine of ten of them, and from month to month.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBuyers, readingOf } from '../../../cli/insight-groups.ts';
import { type InsightSource, openSource } from '../../../cli/insight-source.ts';
import type { Buyer } from '../../../domain/insight/buyers.ts';
import { adjustedRand, assign } from '../../../domain/insight/clusters.ts';
import { pointsOf } from '../../../domain/insight/feature-space.ts';
import { type Discovered, discoverGroups } from '../../../domain/insight/groups.ts';
import { ONLINE_RETAIL } from '../../support/buyers.ts';

if (ONLINE_RETAIL.missing) console.warn('SKIPPED: Online Retail is missing, groups of a real shop are not tried');

type Found = Extract<Discovered, { kind: 'groups' }>;
const found = (one: Discovered): Found => {
  if (one.kind !== 'groups') throw new Error(one.says);
  return one;
};

describe.skipIf(ONLINE_RETAIL.missing)('the groups of a tenth of a wholesaler’s customers', () => {
  const open = (until: string): Promise<InsightSource> =>
    openSource({ orders: ONLINE_RETAIL.sample, mapping: ONLINE_RETAIL.mapping, until });
  let november: InsightSource;
  let december: InsightSource;
  let then: Buyer[];
  let now: Buyer[];
  beforeAll(async () => {
    [november, december] = [await open('2011-11-09'), await open('2011-12-09')];
    [then, now] = [await readBuyers(november), await readBuyers(december)];
  });
  afterAll(async () => {
    await november?.close();
    await december?.close();
  });

  it('are found again by nine of ten, in five ways: ids and names stay, agreement is over 0.85', () => {
    const reading = readingOf(december);
    const first = found(discoverGroups(now, reading));
    for (let tenth = 0; tenth < 10; tenth += 2) {
      const kept = now.map((_, i) => i).filter((i) => (i * 7 + tenth) % 10 !== 0);
      const some = kept.map((i) => now[i] as Buyer);
      const again = found(discoverGroups(some, reading, first.model));
      expect(
        adjustedRand(
          again.of,
          kept.map((i) => first.of[i] as number),
        ),
      ).toBeGreaterThan(0.85);
      expect(again.groups.map(({ id, title }) => [id, title]).sort()).toEqual(
        first.groups.map(({ id, title }) => [id, title]).sort(),
      );
    }
  });

  it('mean the same a month on, whoever has moved from one to another: agreement is over 0.85', () => {
    const former = found(discoverGroups(then, readingOf(november))).model;
    const reading = readingOf(december);
    const again = found(discoverGroups(now, reading, former));
    expect(again.how).toBe('kept');
    const centres = former.groups.map(({ centre }) => centre);
    const byFormer = assign(pointsOf(now, former.features, reading), centres).of;
    expect(adjustedRand(again.of, byFormer)).toBeGreaterThan(0.85);
    expect(again.groups.every(({ kept }) => kept)).toBe(true);
  });
});
