// Coupon codes as they are stored: given once each, the same to the same run; counted by pool; redeemed by an order.
import type { Definitions } from '../../domain/book.ts';
import { knownAs, LEAST_LEFT, LOW_WATER, poolsInUse } from '../../domain/coupon.ts';
import type { GivenCoupon } from '../../domain/message.ts';
import { jitter, sleep } from './clock.ts';
import {
  Cancelled,
  codeShard,
  type Item,
  key,
  POOL_SHARDS,
  pooled,
  poolPk,
  shardText,
  type Table,
  type Write,
} from './table.ts';

const SHAPE = 1;
/** As long as messages are kept: no run has one that comes later. */
const ASSIGNED_DAYS = 400;
/** How many of the codes that come first are looked at: senders that draw at one moment choose among them. */
const LOOKED_AT = 40;
const MOST_ATTEMPTS = 10;

export type CodeState = 'free' | 'given' | 'redeemed';

/** A code with everything that became of it; instants in epoch milliseconds. */
export interface StoredCode extends GivenCoupon {
  state: CodeState;
  importedAt: number;
  /** To whom it was given, and in which message first. */
  contact?: string;
  run?: string;
  message?: string;
  givenAt?: number;
  /** The order that it paid; whose it is, where that was known then. */
  order?: string;
  redeemedBy?: string;
  redeemedAt?: number;
}

/** Who gets a code, and in which message. */
export interface Claim {
  run: string;
  pool: string;
  contact: string;
  message: string;
}

/** How a code that is free is stored: under itself, and among those of its pool. */
export function freeCodeItems(coupon: GivenCoupon, at: number): [code: Item, free: Item] {
  const known = knownAs(coupon.code);
  return [
    { ...key.code(known), shape: SHAPE, ...coupon, state: 'free', importedAt: at },
    { ...key.freeCode(coupon.pool, coupon.expires, known), shape: SHAPE, ...coupon },
  ];
}

/** A code from its item. */
export function readCode(item: Item): StoredCode {
  const { pk: _, sk: __, shape: ___, duePk: ____, dueAt: _____, ...code } = item;
  return code as unknown as StoredCode;
}

/** The key of the due index under which the codes of one state stand, to be counted: nobody walks it. */
const statePk = (state: Exclude<CodeState, 'free'>, pool: string, shard: string): string =>
  `CODES#${state}#${pool}#${shard}`;

const SHARDS = Array.from({ length: POOL_SHARDS }, (_, shard) => shardText(shard));

export class Coupons {
  readonly #table: Table;
  readonly #random: () => number;

  constructor(table: Table, random: () => number = Math.random) {
    this.#table = table;
    this.#random = random;
  }

  /** The codes that runs have already, by claim: one read unit each. */
  async assigned(claims: Claim[]): Promise<Map<Claim, GivenCoupon>> {
    const found = await this.#table.read(claims.map(({ run, pool }) => key.runCoupon(run, pool)));
    return new Map(
      claims.flatMap((claim) => {
        const item = found.get(key.runCoupon(claim.run, claim.pool));
        return item === undefined ? [] : [[claim, couponOf(item)] as const];
      }),
    );
  }

  /**
   * The code of a run in a pool: the one that it has, as long as that has not expired, else the code with the soonest
   * expiry that has three days left. Undefined when the pool has none. `has` is what `assigned` found.
   *
   * One transaction takes the code out of the pool, marks it given, and keeps it for the run, so that whatever dies
   * where, a code is given once and a run has one. Costs 4 read units (the first codes of each shard) and 7 write units
   * (three items in a transaction, and 1 in the due index, where given codes are counted), once for a run; a run that
   * has its code costs nothing here. Where two draw the same code at one moment, the second pays up to 6 in vain.
   */
  async give(claim: Claim, now: number, has?: GivenCoupon): Promise<GivenCoupon | undefined> {
    let own = has;
    for (let attempt = 1; ; attempt++) {
      if (own !== undefined && !isOver(own, now)) return own;
      const first = await this.#first(claim.pool, now);
      if (first.length === 0) {
        // Its last code may have gone to this very run.
        const later = await this.#assignedTo(claim);
        return later === undefined || isOver(later, now) ? undefined : later;
      }
      // Those that end soonest; where others are in the way, any of the first.
      const soonest = attempt === 1 ? first.filter(({ expires }) => expires === first[0]?.expires) : first;
      const coupon = soonest[Math.floor(this.#random() * soonest.length)] as GivenCoupon;
      try {
        await this.#table.transact(this.#writes(claim, coupon, now, own));
        return coupon;
      } catch (error) {
        if (!(error instanceof Cancelled) || attempt === MOST_ATTEMPTS) throw error;
        if (error.conditions.includes(ASSIGNMENT)) own = await this.#assignedTo(claim);
        else if (error.transient || attempt > 2) await sleep(jitter(Math.min(attempt, 4)));
      }
    }
  }

  async #assignedTo(claim: Claim): Promise<GivenCoupon | undefined> {
    return (await this.assigned([claim])).get(claim);
  }

  /** Codes of a pool that may be given, soonest expiry first. */
  async #first(pool: string, now: number): Promise<GivenCoupon[]> {
    const each = Math.ceil((LOOKED_AT * 1.5) / POOL_SHARDS);
    const { from, to } = usable(now);
    const found = await Promise.all(SHARDS.map((shard) => this.#table.between(poolPk(pool, shard), from, to, each)));
    return found
      .flatMap(({ items }) => items)
      .sort((a, b) => (a.sk < b.sk ? -1 : 1))
      .slice(0, LOOKED_AT)
      .map(couponOf);
  }

  #writes(claim: Claim, coupon: GivenCoupon, now: number, before: GivenCoupon | undefined): Write[] {
    const { name: TableName } = this.#table;
    const { contact, run, message } = claim;
    const known = knownAs(coupon.code);
    return [
      {
        Delete: {
          TableName,
          Key: key.freeCode(coupon.pool, coupon.expires, known),
          ConditionExpression: 'attribute_exists(pk)',
        },
      },
      {
        Update: {
          TableName,
          Key: key.code(known),
          UpdateExpression:
            'SET #state = :given, #contact = :contact, #run = :run, #message = :message, givenAt = :at, duePk = :pk, dueAt = :at',
          ConditionExpression: '#state = :free',
          ExpressionAttributeNames: { '#state': 'state', '#contact': 'contact', '#run': 'run', '#message': 'message' },
          ExpressionAttributeValues: {
            ':given': 'given',
            ':free': 'free',
            ':contact': contact,
            ':run': run,
            ':message': message,
            ':at': now,
            ':pk': statePk('given', coupon.pool, codeShard(known)),
          },
        },
      },
      {
        Put: {
          TableName,
          Item: {
            ...key.runCoupon(run, coupon.pool),
            shape: SHAPE,
            ...coupon,
            contact,
            ttl: Math.floor(now / 1000) + ASSIGNED_DAYS * 86_400,
          },
          ConditionExpression: `attribute_not_exists(pk)${before === undefined ? '' : ' OR #code = :before'}`,
          ...(before !== undefined && {
            ExpressionAttributeNames: { '#code': 'code' },
            ExpressionAttributeValues: { ':before': before.code },
          }),
        },
      },
    ];
  }
}

/** The place of the run's own item among the writes. */
const ASSIGNMENT = 2;

const isOver = ({ expires }: GivenCoupon, now: number): boolean => expires !== undefined && expires <= now;

/** Sort keys of free codes that may be given now. */
const usable = (now: number) => ({ from: `FREE#${String(now + LEAST_LEFT).padStart(13, '0')}`, to: FREE_END });
/** Behind every digit. */
const FREE_END = 'FREE#:';

function couponOf({ pool, code, percent, amount, currency, expires }: Item): GivenCoupon {
  const coupon = { pool, code, percent, amount, currency, expires } as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(coupon).filter(([, value]) => value !== undefined),
  ) as unknown as GivenCoupon;
}

// ---- counting ----

/** How many codes of a pool may be given now; counting stops at `most` or somewhat above it. */
export async function countFree(table: Table, pool: string, now: number, most: number): Promise<number> {
  let counted = 0;
  for (const shard of SHARDS) {
    if (counted >= most) break;
    const { from, to } = usable(now);
    counted += await table.countBetween(poolPk(pool, shard), from, to, most - counted);
  }
  return counted;
}

/** What is left of a pool that campaigns draw from. */
export interface PoolLevel {
  pool: string;
  /** Codes that may be given; counted up to the low-water mark. */
  left: number;
  lowWater: number;
}

/**
 * What is left of the pools that campaigns draw from. A query reads no more than the low-water mark: at 100 codes 4 to 8
 * read units a pool, at most once a minute 350,000 a month, 0.05 USD.
 */
export async function poolLevels(table: Table, definitions: Definitions, now: number): Promise<PoolLevel[]> {
  const levels: PoolLevel[] = [];
  const known = definitions.coupons?.pools ?? {};
  await pooled([...poolsInUse(definitions)].sort(), 4, async (pool) => {
    const lowWater = (Object.hasOwn(known, pool) ? known[pool]?.lowWater : undefined) ?? LOW_WATER;
    levels.push({ pool, left: await countFree(table, pool, now, lowWater), lowWater });
  });
  return levels.sort((a, b) => (a.pool < b.pool ? -1 : 1));
}

/** Everything that a pool holds. */
export interface PoolCounts {
  pool: string;
  free: number;
  given: number;
  redeemed: number;
  /** Never given, and with too little time left to be given. */
  expired: number;
  /** Of the codes that may be given. */
  soonest?: number;
}

const ALL = 10_000_000;

/** Counts a pool whole: about 0.02 read units a code that is given or free. */
export async function countPool(table: Table, pool: string, now: number): Promise<PoolCounts> {
  const counts: PoolCounts = { pool, free: 0, given: 0, redeemed: 0, expired: 0 };
  const { from, to } = usable(now);
  await pooled(SHARDS, SHARDS.length, async (shard) => {
    const pk = poolPk(pool, shard);
    const [free, expired, given, redeemed, first] = await Promise.all([
      table.countBetween(pk, from, to, ALL),
      table.countBetween(pk, 'FREE#', from, ALL),
      table.countDue(statePk('given', pool, shard), ALL),
      table.countDue(statePk('redeemed', pool, shard), ALL),
      table.between(pk, from, to, 1),
    ]);
    counts.free += free;
    counts.expired += expired;
    counts.given += given;
    counts.redeemed += redeemed;
    const expires = first.items[0]?.expires as number | undefined;
    if (expires !== undefined) counts.soonest = Math.min(counts.soonest ?? expires, expires);
  });
  return counts;
}

/** Pools to which codes were imported. */
export async function importedPools(table: Table): Promise<string[]> {
  const { pk } = key.couponPool('');
  return (await table.under(pk, 'POOL#')).map(({ sk }) => sk.slice('POOL#'.length));
}

/** All codes of a pool that nobody was given, some hundred at a time. */
export async function* freeCodes(table: Table, pool: string): AsyncGenerator<GivenCoupon[]> {
  for (const shard of SHARDS) {
    for (let from = 'FREE#'; ; ) {
      const { items, next } = await table.between(poolPk(pool, shard), from, FREE_END, 500);
      if (items.length > 0) yield items.map(couponOf);
      if (next === undefined) break;
      from = `${next.sk}!`;
    }
  }
}

/** Takes a code away as if it had never been imported: false where it is not free any more. */
export async function dropCode(table: Table, { pool, code, expires }: GivenCoupon): Promise<boolean> {
  const { name: TableName } = table;
  const known = knownAs(code);
  try {
    await table.transact([
      {
        Delete: {
          TableName,
          Key: key.code(known),
          ConditionExpression: '#state = :free AND #pool = :pool',
          ExpressionAttributeNames: { '#state': 'state', '#pool': 'pool' },
          ExpressionAttributeValues: { ':free': 'free', ':pool': pool },
        },
      },
      { Delete: { TableName, Key: key.freeCode(pool, expires, known) } },
    ]);
    return true;
  } catch (error) {
    if (error instanceof Cancelled && error.conditions.length > 0) return false;
    throw error;
  }
}

// ---- redeeming ----

/** By which order a code was redeemed, and by whom where that is known. */
export interface Redemption {
  order: string;
  contact?: string;
  at: number;
}

/**
 * What marks a code as redeemed; the first is refused where it was redeemed before. A code that nobody was given leaves
 * its pool too, so that nobody is given it any more. Costs 3 to 4 write units, of a free code 2 more.
 */
export function redemptionWrites(
  table: Table,
  code: StoredCode,
  { order, contact, at }: Redemption,
): [Write, ...Write[]] {
  const { name: TableName } = table;
  const known = knownAs(code.code);
  const redeemed: Write = {
    Update: {
      TableName,
      Key: key.code(known),
      UpdateExpression: `SET #state = :redeemed, #order = :order, redeemedAt = :at, duePk = :pk, dueAt = :at${contact === undefined ? '' : ', redeemedBy = :contact'}`,
      ConditionExpression: 'attribute_exists(pk) AND #state <> :redeemed',
      ExpressionAttributeNames: { '#state': 'state', '#order': 'order' },
      ExpressionAttributeValues: {
        ':redeemed': 'redeemed',
        ':order': order,
        ':at': at,
        ':pk': statePk('redeemed', code.pool, codeShard(known)),
        ...(contact !== undefined && { ':contact': contact }),
      },
    },
  };
  if (code.state !== 'free') return [redeemed];
  return [redeemed, { Delete: { TableName, Key: key.freeCode(code.pool, code.expires, known) } }];
}
