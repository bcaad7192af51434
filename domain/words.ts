// Words of people's language for names of the grammar: events, attributes, lengths of time.

/** What a person did, as a verb in the past and its base: "ordered", "did not order". */
const VERBS: Record<string, [past: string, base: string]> = {
  'Order Completed': ['ordered', 'order'],
  'Order Refunded': ['had an order refunded', 'have an order refunded'],
  'Order Cancelled': ['cancelled an order', 'cancel an order'],
  'Product Viewed': ['viewed a product', 'view a product'],
  'Product Added': ['put a product into the cart', 'put a product into the cart'],
  'Product Reviewed': ['reviewed a product', 'review a product'],
  'Checkout Started': ['started a checkout', 'start a checkout'],
  'Consent Granted': ['gave consent', 'give consent'],
  'Consent Withdrawn': ['withdrew consent', 'withdraw consent'],
  'Consent Requested': ['asked to be written to', 'ask to be written to'],
  'Order Delivered': ['had an order delivered', 'have an order delivered'],
  'Products Searched': ['searched', 'search'],
  'Product Clicked': ['clicked on a product', 'click on a product'],
  'Product Removed': ['took a product out of the cart', 'take a product out of the cart'],
  'Product Shared': ['shared a product', 'share a product'],
  'Product Added to Wishlist': ['put a product onto the wishlist', 'put a product onto the wishlist'],
  'Cart Viewed': ['looked into the cart', 'look into the cart'],
  'Coupon Applied': ['used a coupon', 'use a coupon'],
  'Case Opened': ['opened a service case', 'open a service case'],
  'Case Closed': ['had a service case closed', 'have a service case closed'],
  'Subscription Started': ['started a subscription', 'start a subscription'],
  'Subscription Cancelled': ['cancelled a subscription', 'cancel a subscription'],
  'Email Delivered': ['got an e-mail', 'get an e-mail'],
  'Email Opened': ['opened an e-mail', 'open an e-mail'],
  'Email Clicked': ['clicked in an e-mail', 'click in an e-mail'],
  'Back In Stock Requested': ['asked to be told when a product is back', 'ask to be told when a product is back'],
  'Survey Answered': ['answered a survey', 'answer a survey'],
  'Referral Converted': ['won a new customer', 'win a new customer'],
};

/** What is done, as verbs in the past and their bases. */
export function verbsOf(names: string | string[]): [past: string, base: string][] {
  return [names].flat().map((name) => {
    const known = (Object.hasOwn(VERBS, name) && VERBS[name]) || undefined;
    return known ?? [`did “${name}”`, `do “${name}”`];
  });
}

/** Names of people's language for what the grammar calls by a path. */
const NAMES: Record<string, string> = {
  'orders.count': 'the number of orders',
  'orders.spend': 'what was spent',
  'orders.average': 'the average order',
  'orders.first': 'the first order',
  'orders.last': 'the last order',
  'orders.returnedShare': 'the share that was returned',
  'orders.discountedShare': 'the share of orders with a discount or a coupon',
  'cart.items': 'the number of lines in the cart',
  'cart.value': 'the value of the cart',
  'rhythm.interval': 'the number of days between orders',
  'rhythm.overdue': 'the time since the last order, in intervals of their own,',
  'service.openCases': 'the number of open service cases',
  'subscription.active': 'whether a subscription is active',
  'rfm.recency': 'the score of recency',
  'rfm.frequency': 'the score of frequency',
  'rfm.money': 'the score of money',
  'rfm.group': 'the group by recency, frequency and money',
  'value.decile': 'the tenth by value (1 is the best)',
  'value.past': 'the margin earned so far',
  'value.lifetime': 'the lifetime value',
  'predicted.alive': 'the chance of still being a customer',
  'predicted.orders': 'the predicted number of orders',
  'predicted.orders90': 'the predicted number of orders in 90 days',
  'predicted.value': 'the predicted value',
  'predicted.value90': 'the predicted value in 90 days',
  'predicted.nextOrder': 'the day by which the next order is expected',
  'loyalty.tier': 'the loyalty tier',
  'product.inStock': 'whether the product is in stock',
  'product.price': 'the price of the product',
  'product.lowestPrice30d': 'the lowest price of the product in the last 30 days',
  running: 'a campaign under way',
};

/** A name of people's language for an attribute or a property: "the number of orders", "product id". */
export function sayName(path: string): string {
  if (Object.hasOwn(NAMES, path)) return NAMES[path] as string;
  if (path.endsWith('.givenAt')) return `when ${path.slice(0, -'.givenAt'.length)} was given`;
  return path.replace(/^catalogue\./, 'catalogue ').replaceAll('_', ' ');
}

const UNITS: Record<string, string> = { m: 'minute', h: 'hour', d: 'day', w: 'week' };

/** `60d` → `60 days`; one of something loses its number: `in the last day`. */
export function span(duration: string): string {
  const unit = UNITS[duration.slice(-1)] ?? duration.slice(-1);
  const count = duration.slice(0, -1);
  return count === '1' ? unit : `${count} ${unit}s`;
}

/** `a, b or c`. */
export function listed(said: readonly string[], joint = 'or'): string {
  return said.length < 2 ? (said[0] ?? '') : `${said.slice(0, -1).join(', ')} ${joint} ${said.at(-1)}`;
}
