import { expect, test } from 'vitest';
import { emptyBook } from '../../domain/book.ts';
import { newContact } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import { bookOf, DAY, introduced, marketing, order, World } from '../support/people.ts';

test('empty', () => {
  decide(emptyBook(), newContact('a', 0), { kind: 'tick' }, 1);
});
test('x', () => {
  const w = new World(
    bookOf({
      campaigns: {
        cross: marketing({
          aim: 'cross-sell',
          when: { did: 'Order Completed' },
          steps: [{ wait: '2d' }, { send: 'goes-with' }],
        }),
      },
    }),
  );
  w.record(introduced('2026-03-01 10:00'))
    .record([order('1', '2026-03-02 10:00', ['camera'])])
    .until('2026-04-01');
  expect(w.mail()).toEqual(['x']);
});
