// kairos contact: what is said of a person's standing by models and tiers.
import { expect, it } from 'vitest';
import { describe as said } from '../../cli/contact.ts';
import type { Rule } from '../../domain/grammar.ts';
import { modelsOf } from '../support/models.ts';
import { bookOf, event, instant, order, World } from '../support/people.ts';

const spent = (atLeast: number): Rule => ({
  did: 'Order Completed',
  sum: { of: 'revenue', atLeast },
  in: 'this year',
});

it('the tier with its end, what the models say, and in place of both what was given', () => {
  const book = bookOf({ loyalty: { silver: spent(100), gold: spent(500) }, models: modelsOf('cdnow') });
  const world = new World(book).record([
    order('1', '2026-01-01 10:00', ['bag']),
    order('2', '2026-01-11 10:00', ['bag']),
    order('3', '2026-02-01 10:00', ['bag']),
    event('Scores Updated', '2026-02-02', { 'predicted.value': 12_345 }, { source: 'kairos' }),
  ]);
  const lines = said({ contact: world.person(), messages: [] }, book, instant('2026-03-01 12:00'));
  const told = lines.slice(lines.indexOf('Standing') + 1);
  expect(told.slice(0, told.indexOf('')).map((line) => line.trim().replace(/ {2,}/g, ' | '))).toEqual([
    'predicted.value | €123.45 | (2 Feb 2026, 01:00)',
    'loyalty.tier | “silver”, until 1 January 2027, 00:00 if nothing happens',
    'rfm.recency | 4',
    'rfm.frequency | 4',
    'rfm.money | 3',
    'rfm.group | “loyal”',
    'predicted.alive | 0.651682',
    'predicted.orders | 3.44964 orders',
    'predicted.orders90 | 1.20161 orders',
    'predicted.value90 | €30.64',
    'predicted.nextOrder | 6 March 2026, in 4 days',
    'value.past | €48.00',
    'value.lifetime | €135.96',
    'value.decile | 3',
  ]);
  // A tier is no segment that people see.
  expect(lines.join('\n')).not.toContain('tier|');
});
