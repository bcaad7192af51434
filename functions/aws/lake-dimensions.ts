// What lines of the lake refer to: products and campaigns as published last, one file each.
import type { Definitions } from '../../domain/book.ts';
import { isCode, lakeId } from '../../domain/code.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { minorUnits } from '../../domain/money.ts';
import type { Bucket } from './bucket.ts';
import { LINES_TYPE, packed } from './lake.ts';

/** One row for each product of the catalogue; money in minor units. Texts here are the shop's own. */
export function productRows({ catalogue, settings }: Pick<Definitions, 'catalogue' | 'settings'>): JsonObject[] {
  return sorted(catalogue.products).map(([id, { name, category, brand, price, margin, upgrade }]) => ({
    product: lakeId(id),
    name,
    // As lines of orders name it.
    ...(category !== undefined && isCode(category) && { category }),
    ...(brand !== undefined && { brand }),
    ...(price !== undefined && { price: minorUnits(price, settings.currency) }),
    ...(margin !== undefined && { margin }),
    ...(upgrade !== undefined && { upgrade: lakeId(upgrade) }),
  }));
}

/** One row for each campaign, those that are no longer published among them; costs in minor units and parts of them. */
export function campaignRows({
  campaigns,
  retired,
  settings,
}: Pick<Definitions, 'campaigns' | 'retired' | 'settings'>): JsonObject[] {
  const gone = Object.fromEntries(Object.values(retired).map((one) => [one.id, one]));
  const unit = minorUnits(1, settings.currency);
  const money = (amount: number | undefined): number | undefined =>
    amount === undefined ? undefined : Number((amount * unit).toFixed(6));
  return sorted({ ...gone, ...campaigns }).map(([id, { campaign }]) => {
    const { title, kind, aim, costs = {} } = campaign;
    const [perMessage, perCoupon, fixed] = [costs.perMessage, costs.perCoupon, costs.fixed].map(money);
    return {
      campaign: id,
      ...(title !== undefined && { title }),
      kind,
      aim,
      ...(perMessage !== undefined && { perMessage }),
      ...(perCoupon !== undefined && { perCoupon }),
      ...(fixed !== undefined && { fixed }),
    };
  });
}

/** Writes both files in place of those of the book before. The same book writes the same. */
export async function writeDimensions(bucket: Bucket, definitions: Definitions): Promise<void> {
  const write = (name: string, rows: JsonObject[]): Promise<void> =>
    bucket.put(`lake/${name}/${name}.ndjson.gz`, packed(rows.map((row) => JSON.stringify(row))), LINES_TYPE);
  await Promise.all([write('products', productRows(definitions)), write('campaigns', campaignRows(definitions))]);
}

const sorted = <T>(by: Record<string, T>): [string, T][] => Object.entries(by).sort(([a], [b]) => (a < b ? -1 : 1));
