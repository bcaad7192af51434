// The statements that count what goes together, over small shops: by hand, and against a plain count in JavaScript.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { DuckDbWarehouse } from '../../cli/duckdb.ts';
import { dateOfDay, dayOfDate } from '../../domain/insight/customer.ts';
import type { PairCount } from '../../domain/insight/next-product.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { countNext, NEXT_BOUNDS, nextCases } from '../../functions/aws/next-counts.ts';

const TODAY = dayOfDate('2026-06-30');

interface Bought {
  contact?: string | undefined;
  /** Days before today. */
  ago: number;
  products: (string | { product: string; quantity?: number; returned?: number; paid?: number; category?: string })[];
  cancelled?: boolean;
  /** A credit note alone. */
  credit?: boolean;
}

const opened: DuckDbWarehouse[] = [];
afterEach(async () => {
  for (const warehouse of opened.splice(0)) await warehouse.close();
});

async function shop(orders: Bought[], more: { contacts?: JsonObject[]; products?: JsonObject[] } = {}) {
  const rows = orders.map(({ contact, ago, products, cancelled = false, credit = false }, i) => {
    const order = `shop#${i}`;
    const lines = products.map((line, n) => {
      const {
        product,
        quantity = 1,
        returned = 0,
        paid = 1000,
        category,
      } = typeof line === 'string' ? { product: line } : line;
      const refunded = quantity > 0 ? Math.round((paid * Math.min(returned, quantity)) / quantity) : 0;
      const named = category === undefined ? {} : { category };
      return { order, version: 1, line: n, product, ...named, quantity, returned, revenue: paid, refunded };
    });
    return {
      order: {
        order,
        version: 1,
        ...(contact === undefined ? {} : { contact }),
        at: (TODAY - ago) * 86_400_000,
        date: dateOfDay(TODAY - ago),
        completed: !credit,
        cancelled,
        currency: 'EUR',
        revenue: lines.reduce((sum, { revenue }) => sum + revenue, 0),
        refunded: 0,
        margin: 0,
        valued: 0,
        discount: 0,
        coupon: false,
        source: 'shop',
      },
      lines,
    };
  });
  const warehouse = await DuckDbWarehouse.ofRows(
    { orders: rows.map(({ order }) => order), lines: rows.flatMap(({ lines }) => lines), ...more },
    { currency: 'EUR', today: TODAY },
  );
  opened.push(warehouse);
  return warehouse;
}

const counted = async (orders: Bought[], more: Parameters<typeof shop>[1] & { leave?: number } = {}) =>
  countNext(await shop(orders, more), { today: TODAY, currency: 'EUR', leave: more.leave ?? 0 });
const times = <T>(many: number, make: (i: number) => T): T[] => Array.from({ length: many }, (_, i) => make(i));
const said = (rows: PairCount[]) =>
  rows
    .map(({ product, other, both, first, second, all }) => `${product}→${other} ${both} of ${first}, ${second}, ${all}`)
    .sort();

describe('given baskets', () => {
  it('a pair is counted in both directions, with the baskets of each and of all', async () => {
    const orders = [
      ...times(6, () => ({ ago: 3, products: ['cup', 'pot'] })),
      ...times(3, () => ({ ago: 3, products: ['cup'] })),
      ...times(1, () => ({ ago: 3, products: ['tea', 'pot'] })),
    ];
    expect(said((await counted(orders)).together)).toEqual(['cup→pot 6 of 9, 7, 10', 'pot→cup 6 of 7, 9, 10']);
  });

  it('what came back whole, a line without a quantity, a cancelled order and a credit note are no purchases', async () => {
    const good = times(5, (): Bought => ({ ago: 3, products: ['cup', 'pot'] }));
    const bad: Bought[] = [
      { ago: 3, products: ['cup', { product: 'pot', quantity: 2, returned: 2 }] },
      { ago: 3, products: ['cup', { product: 'pot', quantity: 0 }] },
      { ago: 3, products: ['cup', { product: 'pot', quantity: -1, paid: -1000 }] },
      { ago: 3, products: ['cup', 'pot'], cancelled: true },
      { ago: 3, products: ['cup', 'pot'], credit: true },
      { ago: 3, products: ['cup', { product: 'pot', quantity: 3, returned: 1 }] },
    ];
    expect(said((await counted([...good, ...bad])).together)).toEqual(['cup→pot 6 of 9, 6, 9', 'pot→cup 6 of 6, 9, 9']);
  });

  it('two lines of a product are one, and under five baskets nothing is said', async () => {
    const twice = times(5, (): Bought => ({ ago: 3, products: ['cup', 'cup', 'pot'] }));
    const rare = times(4, (): Bought => ({ ago: 3, products: ['tea', 'jam'] }));
    expect(said((await counted([...twice, ...rare])).together)).toEqual([
      'cup→pot 5 of 5, 5, 9',
      'pot→cup 5 of 5, 5, 9',
    ]);
  });

  it('of a large basket the hundred products of the greatest revenue count, in the pairs as in the counts', async () => {
    const large = times(130, (i) => ({ product: `p${String(i).padStart(3, '0')}`, paid: 1000 - i }));
    const { together } = await counted(times(5, () => ({ ago: 3, products: large })));
    const met = new Set(together.map(({ product }) => product));
    expect(met.size).toBe(NEXT_BOUNDS.lines);
    expect(met.has('p099')).toBe(true);
    expect(met.has('p100')).toBe(false);
  });

  it('what lies further back than two years does not count', async () => {
    const old = times(9, (): Bought => ({ ago: NEXT_BOUNDS.days + 1, products: ['cup', 'pot'] }));
    expect((await counted(old)).together).toEqual([]);
    const edge = times(5, (): Bought => ({ ago: NEXT_BOUNDS.days, products: ['cup', 'pot'] }));
    expect((await counted([...old, ...edge])).together).toHaveLength(2);
  });

  it('names with quotes, and words of the language, are products like any other', async () => {
    const odd = ["O'Hara; DROP TABLE lines --", '__proto__', '"', 'toString'];
    const { together } = await counted(times(5, () => ({ ago: 3, products: odd })));
    expect(new Set(together.map(({ product }) => product))).toEqual(new Set(odd));
    expect(together).toHaveLength(12);
  });
});

describe('given people who come again', () => {
  const first = (i: number, ...products: string[]): Bought => ({ contact: `c${i}`, ago: 40, products });
  const later = (i: number, ...products: string[]): Bought => ({ contact: `c${i}`, ago: 10, products });

  it('an "after" is of those who came again after the one, and of all who bought the other on a later day', async () => {
    const orders = [
      ...times(6, (i) => [first(i, 'camera'), later(i, 'bag')]).flat(),
      // Came again, for something else.
      ...times(2, (i) => [first(10 + i, 'camera'), later(10 + i, 'lens')]).flat(),
      // Bought the bag later, but no camera before.
      ...times(3, (i) => [first(20 + i, 'lens'), later(20 + i, 'bag')]).flat(),
      // Never came again: no "after" was possible. And the bag before the camera.
      first(30, 'camera', 'bag'),
      first(31, 'bag'),
      later(31, 'camera'),
      // Nobody known.
      { ago: 5, products: ['bag'] },
    ];
    expect(said((await counted(orders)).after)).toEqual(['camera→bag 6 of 8, 9, 12']);
  });

  it('orders of one day are one purchase, and only the first of a product counts', async () => {
    const sameDay = times(6, (i) => [first(i, 'camera'), first(i, 'bag')]).flat();
    expect((await counted(sameDay)).after).toEqual([]);
    const again = times(6, (i) => [first(i, 'camera', 'bag'), later(i, 'bag', 'camera')]).flat();
    expect((await counted(again)).after).toEqual([]);
  });

  it('two contacts that became one are one person', async () => {
    const orders = times(5, (i) => [first(i, 'camera'), { ...later(i, 'bag'), contact: `device-${i}` }]).flat();
    expect((await counted(orders)).after).toEqual([]);
    const contacts = times(5, (i) => ({ contact: `device-${i}`, version: 2, into: `c${i}`, createdAt: 0 }));
    expect(said((await counted(orders, { contacts })).after)).toEqual(['camera→bag 5 of 5, 5, 5']);
  });

  it('an upgrade is dearer by a tenth, of the same category, and bought later', async () => {
    const line = (product: string, paid: number, category = 'Cameras') => ({ product, paid, category });
    const moves = (i: number, from: ReturnType<typeof line>, to: ReturnType<typeof line>): Bought[] => [
      { contact: `c${i}`, ago: 40, products: [from] },
      { contact: `c${i}`, ago: 10, products: [to] },
    ];
    const orders = [
      ...times(4, (i) => moves(i, line('mini', 30_000), line('pro', 90_000))).flat(),
      ...times(4, (i) => moves(10 + i, line('pro', 90_000), line('mini', 30_000))).flat(),
      ...times(4, (i) => moves(20 + i, line('mini', 30_000), line('mini-2', 32_000))).flat(),
      ...times(4, (i) => moves(30 + i, line('mini', 30_000), line('drone', 99_000, 'Drones'))).flat(),
      ...times(2, (i) => moves(40 + i, line('mini', 30_000), line('max', 99_000))).flat(),
    ];
    const { upgrades } = await counted(orders);
    expect(upgrades).toEqual([
      {
        product: 'mini',
        other: 'pro',
        both: 4,
        first: 14,
        second: 4,
        all: 18,
        category: 'Cameras',
        price: 30_000,
        otherPrice: 90_000,
      },
    ]);
    // The catalogue's price counts before what was paid.
    const products = [{ product: 'mini-2', name: 'Mini 2', category: 'Cameras', price: 40_000 }];
    expect((await counted(orders, { products })).upgrades.map(({ other }) => other)).toEqual(['mini-2', 'pro']);
  });
});

describe('given what sells', () => {
  it('it is told over all and by category, of the last ninety days where these are enough', async () => {
    const many = times(25, (i): Bought => ({ ago: 5, products: [{ product: `p${i}`, category: i < 5 ? 'A' : 'B' }] }));
    const top: Bought[] = times(3, () => ({ ago: 2, products: [{ product: 'p4', category: 'A' }, 'plain'] }));
    const old = times(50, (): Bought => ({ ago: 200, products: ['old'] }));
    const { popular } = await counted([...many, ...top, ...old]);
    const of = (wanted: string) => popular.filter(({ category }) => category === wanted).map(({ product }) => product);
    expect(of('').slice(0, 3)).toEqual(['p4', 'plain', 'p0']);
    expect(of('A')).toEqual(['p4', 'p0', 'p1', 'p2', 'p3']);
    expect(of('')).not.toContain('old');
    const few = await counted([...many.slice(0, 3), ...old]);
    expect(few.popular[0]).toEqual({ category: '', product: 'old', baskets: 50 });
  });
});

describe('given last orders that are left out', () => {
  const orders = times(6, (i): Bought[] => [
    { contact: `c${i}`, ago: 90, products: ['cup', 'pot'] },
    { contact: `c${i}`, ago: 60, products: ['tea', 'cup'] },
    { contact: `c${i}`, ago: 30, products: ['jam', 'pot'] },
  ]).flat();
  const once: Bought[] = [{ contact: 'z', ago: 1, products: ['cup', 'pot'] }];
  const guests = times(5, (): Bought => ({ ago: 1, products: ['cup', 'jam'] }));

  it('the counts know nothing of them, and guests, who have no last one, count', async () => {
    const { together, after, popular } = await counted([...orders, ...once, ...guests], { leave: 1 });
    expect(said(together)).toEqual([
      'cup→jam 5 of 17, 5, 17',
      'cup→pot 6 of 17, 6, 17',
      'cup→tea 6 of 17, 6, 17',
      'jam→cup 5 of 5, 17, 17',
      'pot→cup 6 of 6, 17, 17',
      'tea→cup 6 of 6, 17, 17',
    ]);
    expect(said(after)).toEqual(['cup→tea 6 of 6, 6, 6', 'pot→tea 6 of 6, 6, 6']);
    expect(popular.find(({ product }) => product === 'jam')?.baskets).toBe(5);
  });

  it('a case is what somebody owned by then, and what was new on the day left out', async () => {
    const warehouse = await shop([...orders, ...once, ...guests]);
    const cases = await nextCases(warehouse, { today: TODAY, currency: 'EUR', leave: 1, customers: 100 });
    expect(cases).toEqual(
      times(6, () => ({ owned: { cup: TODAY - 60, tea: TODAY - 60, pot: TODAY - 90 }, fresh: ['jam'] })),
    );
    expect(await nextCases(warehouse, { today: TODAY, currency: 'EUR', leave: 2, customers: 100 })).toEqual(
      times(6, () => ({ owned: { cup: TODAY - 90, pot: TODAY - 90 }, fresh: ['tea'] })),
    );
    expect(await nextCases(warehouse, { today: TODAY, currency: 'EUR', leave: 1, customers: 3 })).toHaveLength(3);
  });
});

describe('given a shop of which there is little to say', () => {
  it.each<[string, Bought[]]>([
    ['no orders', []],
    ['one order', [{ contact: 'a', ago: 1, products: ['cup'] }]],
    ['one product in every basket', times(20, (i) => ({ contact: `c${i % 4}`, ago: i, products: ['cup'] }))],
    ['orders of nobody known', times(9, () => ({ ago: 1, products: ['cup'] }))],
    ['orders without lines', times(9, (i) => ({ contact: 'a', ago: i, products: [] }))],
    ['orders in the future', times(9, (i) => ({ contact: `c${i}`, ago: -400, products: ['cup'] }))],
  ])('%s make no pairs, and no fault', async (_name, orders) => {
    const { together, after, upgrades } = await counted(orders);
    expect([together, after, upgrades]).toEqual([[], [], []]);
    expect(await nextCases(await shop(orders), { today: TODAY, currency: 'EUR', leave: 1, customers: 10 })).toEqual([]);
  });
});

describe('given any orders', () => {
  const orders = fc.array(
    fc.record({
      contact: fc.option(
        fc.integer({ min: 1, max: 30 }).map((n) => `c${n}`),
        { nil: undefined },
      ),
      ago: fc.constantFrom(0, 10, 20, 30, 40),
      products: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 90, maxLength: 140, size: 'max' },
  );

  /** The same by plain counting. */
  function plainly(given: Bought[]): { together: string[]; after: string[] } {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const couples = names.flatMap((a) => names.filter((b) => b !== a).map((b) => [a, b] as const));
    const has = (order: Bought, product: string) => order.products.includes(product);
    const inBaskets = couples.map(
      ([product, other]): PairCount => ({
        product,
        other,
        both: given.filter((order) => has(order, product) && has(order, other)).length,
        first: given.filter((order) => has(order, product)).length,
        second: given.filter((order) => has(order, other)).length,
        all: given.length,
      }),
    );
    const people = [
      ...Map.groupBy(
        given.filter(({ contact }) => contact),
        ({ contact }) => contact,
      ).values(),
    ]
      .map((own) => {
        const days = own.map(({ ago }) => -ago);
        const firsts = new Map(
          names.flatMap((name) => {
            const met = own.filter((order) => has(order, name)).map(({ ago }) => -ago);
            return met.length === 0 ? [] : [[name, Math.min(...met)] as const];
          }),
        );
        return { begins: Math.min(...days), ends: Math.max(...days), firsts };
      })
      .filter(({ begins, ends }) => begins < ends);
    const sequences = couples.map(
      ([product, other]): PairCount => ({
        product,
        other,
        both: people.filter(({ firsts }) => (firsts.get(product) ?? 1) < (firsts.get(other) ?? -1e9)).length,
        first: people.filter(({ firsts, ends }) => (firsts.get(product) ?? 1) < ends).length,
        second: people.filter(({ firsts, begins }) => (firsts.get(other) ?? -1e9) > begins).length,
        all: people.length,
      }),
    );
    const enough = ({ both }: PairCount) => both >= NEXT_BOUNDS.support;
    return { together: said(inBaskets.filter(enough)), after: said(sequences.filter(enough)) };
  }

  it('pairs and sequences are what plain counting makes of them', async () => {
    let some = 0;
    await fc.assert(
      fc.asyncProperty(orders, async (given) => {
        const { together, after } = await counted(given);
        expect({ together: said(together), after: said(after) }).toEqual(plainly(given));
        some += after.length;
      }),
      { numRuns: 6, endOnFailure: true },
    );
    expect(some).toBeGreaterThan(0);
  });
});
