// What calls of DynamoDB cost in capacity units, by AWS's published rules, from the requests themselves.
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';

export interface Units {
  /** Write units: 1 per started KB of an item, doubled in a transaction; index entries apart. */
  write: number;
  /** Write units of indexes: 1 for each entry that is put, and 1 for each that is taken out. */
  index: number;
  /** Read units: 1 per started 4 KB of a strong read. */
  read: number;
  calls: number;
  /** Write units by kind of item. */
  byItem: Record<string, number>;
}

type Item = Record<string, unknown>;
interface Call {
  TransactItems?: { Put?: { Item: Item } }[];
  RequestItems?: Record<string, { Keys: Item[] }>;
  KeyConditionExpression?: string;
  UpdateExpression?: string;
  Item?: Item;
}
interface Answer {
  Responses?: Record<string, Item[]>;
  Items?: Item[];
}

/** Bytes of an item as DynamoDB counts them: names and values in UTF-8; numbers about half their digits and one. */
export function itemBytes(item: Item): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item)) bytes += Buffer.byteLength(name) + valueBytes(value);
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return Math.ceil(String(Math.abs(value)).replace(/^0+|\D|0+$/g, '').length / 2) + 1;
  if (typeof value === 'boolean' || value === null) return 1;
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return 3 + value.reduce<number>((sum, each) => sum + valueBytes(each) + 1, 0);
  if (typeof value === 'object') return 3 + itemBytes(value as Item) + Object.keys(value as Item).length;
  return 0;
}

const kindOf = (item: Item): string => {
  const [first] = String(item.pk).split('#');
  const [second] = String(item.sk).split('#');
  return (second === 'MESSAGE' || second === 'INTERACTION' ? second : (first ?? '')).toLowerCase();
};

const indexKeys = [
  ['duePk', 'dueAt'],
  ['rosterPk', 'rosterSk'],
] as const;

/**
 * Counts every call that the client makes from now on. What an item was before is known from what was read or written
 * through this client, so an index entry that moves counts twice, and one that stays counts nothing.
 */
export function meter(client: DynamoDBClient): { take(): Units } {
  const known = new Map<string, Item>();
  let units: Units = none();
  const keyOf = (item: Item): string => `${String(item.pk)}\n${String(item.sk)}`;
  const put = (item: Item, factor: 1 | 2): void => {
    const before = known.get(keyOf(item));
    const cost = factor * Math.ceil(Math.max(itemBytes(item), before === undefined ? 0 : itemBytes(before)) / 1024);
    units.write += cost;
    units.byItem[kindOf(item)] = (units.byItem[kindOf(item)] ?? 0) + cost;
    for (const keys of indexKeys) {
      const place = (of: Item | undefined): string => keys.map((key) => of?.[key]).join('|');
      if (place(before) === place(item)) continue;
      if (before?.[keys[0]] !== undefined) units.index += 1;
      if (item[keys[0]] !== undefined) units.index += 1;
    }
    known.set(keyOf(item), item);
  };
  client.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args);
      units.calls += 1;
      count(args.input as Call, (answer as { output: Answer }).output);
      return answer;
    },
    { step: 'initialize', priority: 'low', name: 'kairos-meter' },
  );
  // The document client hands items over as plain objects: calls are told apart by their parameters.
  const count = (input: Call, output: Answer): void => {
    if (input.TransactItems !== undefined) {
      for (const each of input.TransactItems) {
        if (each.Put !== undefined) put(each.Put.Item, 2);
        else units.write += 2;
      }
    } else if (input.RequestItems !== undefined) {
      for (const [table, { Keys }] of Object.entries(input.RequestItems)) {
        const items = output.Responses?.[table] ?? [];
        units.read += Keys.length - items.length;
        for (const item of items) {
          known.set(keyOf(item), item);
          units.read += Math.ceil(itemBytes(item) / 4096);
        }
      }
    } else if (input.KeyConditionExpression !== undefined) {
      const bytes = (output.Items ?? []).reduce((sum, item) => sum + itemBytes(item), 0);
      units.read += Math.max(1, Math.ceil(bytes / 4096));
    } else if (input.Item !== undefined) put(input.Item, 1);
    else if (input.UpdateExpression !== undefined) units.write += 1;
  };
  return {
    take() {
      const taken = units;
      units = none();
      return taken;
    },
  };
}

const none = (): Units => ({ write: 0, index: 0, read: 0, calls: 0, byItem: {} });
