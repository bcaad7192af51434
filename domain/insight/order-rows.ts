// An order as the lake holds it: one row, and one for each of its lines.
import { lakeId } from '../code.ts';
import type { JsonObject } from '../interaction.ts';
import type { Order } from '../order.ts';
import { type LineValue, orderValue } from '../order-value.ts';
import type { Catalogue } from '../settings.ts';
import { localTime } from '../time.ts';

/** What the rows of an order are made by: the shop's currency, zone and catalogue. */
export interface Shop {
  currency: string;
  zone: string;
  catalogue: Catalogue;
}

/** The rows of the tables `orders` and `lines` (lake-tables.ts) for an order as it stands in a version. */
export function orderRows(
  order: Order,
  version: number,
  { currency, zone, catalogue }: Shop,
): { order: JsonObject; lines: JsonObject[] } {
  const { lines, at, channel, coupon, ...value } = orderValue(order, currency, catalogue);
  const key = lakeId(order.key);
  return {
    order: {
      order: key,
      version,
      ...(order.owner === undefined ? {} : { contact: order.owner }),
      ...(at === undefined ? {} : { at, date: localTime(at, zone).date }),
      ...value,
      coupon,
      ...(channel === undefined ? {} : { channel }),
      source: lakeId(order.source),
    },
    // Ten times as quick as spreading the line, over half a million of them.
    lines: lines.map((line, i) => {
      const row = Object.assign(line as LineValue & JsonObject, { order: key, version, line: i });
      row.product = lakeId(line.product);
      return row;
    }),
  };
}
