// All customers of a shop as columns: a million take some sixty megabytes, and each is looked at in place.
import type { Customer } from './customer.ts';

type Column = 'days' | 'first' | 'last' | 'orders' | 'revenue' | 'firstRevenue' | 'margin' | 'valued';
const COLUMNS: Column[] = ['days', 'first', 'last', 'orders', 'revenue', 'firstRevenue', 'margin', 'valued'];

/**
 * Customers that can be gone through any number of times. The same object is handed out each time, with other values:
 * whoever wants to keep one copies it.
 */
export class CustomerTable implements Iterable<Customer> {
  size = 0;
  /** Orders of all of them. */
  orders = 0;
  /** Rows that were no customers: without a day on which they bought, or with a figure that is none. */
  leftOut = 0;
  #columns = COLUMNS.map(() => new Float64Array(1024));

  /** Takes one in. A row that is no customer, as one whose first order is after `today`, is counted and left out. */
  add(customer: Record<Column, unknown>, today: number): void {
    const values = COLUMNS.map((column) => customer[column] ?? 0);
    const [days, first, last] = values;
    const whole = values.every((value) => typeof value === 'number' && Number.isFinite(value));
    if (!whole || !((days as number) >= 1) || customer.first === null || (first as number) > today) {
      this.leftOut++;
      return;
    }
    if (this.size === this.#columns[0]!.length) this.#grow();
    for (let i = 0; i < COLUMNS.length; i++) this.#columns[i]![this.size] = values[i] as number;
    // A last order before the first is none that a calendar knows.
    this.#columns[2]![this.size] = Math.max(first as number, last as number);
    this.size++;
    this.orders += customer.orders as number;
  }

  *[Symbol.iterator](): Generator<Customer> {
    const [days, first, last, orders, revenue, firstRevenue, margin, valued] = this.#columns as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const customer = {} as Customer;
    for (let i = 0; i < this.size; i++) {
      customer.days = days[i] as number;
      customer.first = first[i] as number;
      customer.last = last[i] as number;
      customer.orders = orders[i] as number;
      customer.revenue = revenue[i] as number;
      customer.firstRevenue = firstRevenue[i] as number;
      customer.margin = margin[i] as number;
      customer.valued = valued[i] as number;
      yield customer;
    }
  }

  #grow(): void {
    this.#columns = this.#columns.map((column) => {
      const larger = new Float64Array(column.length * 2);
      larger.set(column);
      return larger;
    });
  }
}
