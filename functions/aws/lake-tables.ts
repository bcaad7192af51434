// The tables of the lake: their columns, as files hold them, Glue declares them and DuckDB reads them.

export type ColumnType = 'string' | 'bigint' | 'double' | 'boolean';

export interface LakeTable {
  /** In files by arrival day, `lake/<name>/day=YYYY-MM-DD/…ndjson.gz`; else one file `lake/<name>/<name>.ndjson.gz`. */
  byDay: boolean;
  columns: Record<string, ColumnType>;
}

/**
 * Names are lower-case in SQL, whatever their case in a file. Money is in minor units of the shop's currency unless a
 * `currency` stands beside it. `version` orders the lines of one thing: the greatest is how it stands.
 */
export const LAKE_TABLES = {
  interactions: {
    byDay: true,
    columns: { id: 'string', name: 'string', at: 'string', source: 'string', subject: 'string', order: 'string' },
  },
  messages: {
    byDay: true,
    columns: {
      message: 'string',
      contact: 'string',
      campaign: 'string',
      version: 'string',
      step: 'string',
      run: 'string',
      kind: 'string',
      state: 'string',
      at: 'string',
      plannedAt: 'string',
      arm: 'string',
      key: 'string',
      topic: 'string',
      reason: 'string',
      variant: 'string',
      test: 'string',
      coupon: 'boolean',
      convertedAt: 'string',
      convertedValue: 'bigint',
    },
  },
  decisions: {
    byDay: true,
    columns: {
      contact: 'string',
      campaign: 'string',
      at: 'string',
      kind: 'string',
      reason: 'string',
      step: 'string',
      book: 'string',
    },
  },
  feedback: {
    byDay: true,
    columns: { message: 'string', contact: 'string', campaign: 'string', type: 'string', at: 'string' },
  },
  /** An order as it stands after an event; one line for each version. */
  orders: {
    byDay: true,
    columns: {
      /** `<source>#<order id>`. */
      order: 'string',
      version: 'bigint',
      /** The contact that it belongs to; absent for a guest, and where the person was erased. */
      contact: 'string',
      /** When it was completed, epoch milliseconds, and the date of the shop's calendar; of a credit note alone, its refund's. */
      at: 'bigint',
      date: 'string',
      /** False of a credit note, which belongs to no order. */
      completed: 'boolean',
      cancelled: 'boolean',
      currency: 'string',
      /** Without tax and shipping, after discounts; and how much of it came back. */
      revenue: 'bigint',
      refunded: 'bigint',
      /** Margin of what is left, as far as margins are known, and the net revenue of which they are known. */
      margin: 'bigint',
      valued: 'bigint',
      discount: 'bigint',
      coupon: 'boolean',
      channel: 'string',
      source: 'string',
    },
  },
  /** The lines of an order, of the same version. */
  lines: {
    byDay: true,
    columns: {
      order: 'string',
      version: 'bigint',
      line: 'bigint',
      product: 'string',
      category: 'string',
      quantity: 'double',
      returned: 'double',
      /** Its share of the order's revenue, and of what came back. */
      revenue: 'bigint',
      refunded: 'bigint',
      /** Net of what came back; absent where the product's margin is not known. */
      margin: 'bigint',
    },
  },
  contacts: {
    byDay: true,
    columns: {
      contact: 'string',
      version: 'bigint',
      /** The contact that it was merged into. */
      into: 'string',
      createdAt: 'bigint',
      /** ISO 3166 code. */
      country: 'string',
    },
  },
  /** The catalogue as published last. */
  products: {
    byDay: false,
    columns: {
      product: 'string',
      name: 'string',
      category: 'string',
      brand: 'string',
      price: 'bigint',
      margin: 'double',
      upgrade: 'string',
    },
  },
  /** The campaigns as published last, and what they cost. */
  campaigns: {
    byDay: false,
    columns: {
      campaign: 'string',
      title: 'string',
      kind: 'string',
      aim: 'string',
      perMessage: 'double',
      perCoupon: 'double',
      fixed: 'double',
    },
  },
} as const satisfies Record<string, LakeTable>;

export type TableName = keyof typeof LAKE_TABLES;
