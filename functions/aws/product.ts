// A product's present price, stock and picture, as `Product Updated` events leave it: per field the latest event wins.
import type { Interaction, Json } from '../../domain/interaction.ts';
import { minorUnits } from '../../domain/money.ts';
import { NO_CURRENCY } from '../../domain/order.ts';
import { type StoredProduct, withPrice } from '../../domain/product.ts';
import { type Item, key } from './table.ts';

/** A product with the event time that gave each of its fields. */
export interface ProductState {
  id: string;
  at: number;
  product: StoredProduct;
  given: Partial<Record<keyof StoredProduct, [at: number, id: string]>>;
}

/** The product that an event updates, or undefined when it updates none. */
export function productIdOf(interaction: Pick<Interaction, 'name' | 'properties'>): string | undefined {
  if (interaction.name !== 'Product Updated') return undefined;
  const id = interaction.properties.product_id ?? interaction.properties.sku;
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;
}

/** Folds a Product Updated in: of each field the latest event time wins. Prices in minor units. `before` is not changed. */
export function foldProduct(
  before: ProductState | undefined,
  interaction: Interaction,
  currency: string,
): ProductState {
  const { properties, at, id } = interaction;
  const state: ProductState = {
    id: productIdOf(interaction) as string,
    at: Math.max(before?.at ?? 0, at),
    product: { ...before?.product },
    given: { ...before?.given },
  };
  const put = <F extends keyof StoredProduct>(field: F, value: StoredProduct[F] | undefined): void => {
    const known = state.given[field];
    if (value === undefined || (known !== undefined && (known[0] > at || (known[0] === at && known[1] >= id)))) return;
    state.product[field] = value;
    state.given[field] = [at, id];
  };
  const own = text(properties.currency)?.toUpperCase() ?? currency;
  if (properties.price !== undefined && properties.price !== null) {
    const price = minorUnits(properties.price, own);
    put('price', price);
    put('priceAt', at);
    if (own !== NO_CURRENCY) {
      put('currency', own);
      if (own === currency) state.product.prices = withPrice(state.product.prices, at, price);
    }
    const { currency: latest = currency } = state.product;
    if (latest === currency) delete state.product.foreign;
    else state.product.foreign = true;
  }
  const stock = properties.stock ?? properties.inventory ?? properties.quantity;
  put('stock', typeof stock === 'number' && Number.isFinite(stock) ? stock : undefined);
  put('name', text(properties.name));
  put('url', text(properties.url));
  put('imageUrl', text(properties.image_url));
  put('category', text(properties.category));
  return state;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A product as it is stored. */
export function productItem({ id, at, product, given }: ProductState): Item {
  return { ...key.product(id), shape: 1, at, state: JSON.stringify(product), given: JSON.stringify(given) };
}

/** A product from its item. */
export function readProduct(item: Item): ProductState {
  return {
    id: item.pk.slice('PRODUCT#'.length),
    at: item.at as number,
    product: JSON.parse(item.state as string) as StoredProduct,
    given: JSON.parse((item.given as string | undefined) ?? '{}') as ProductState['given'],
  };
}
