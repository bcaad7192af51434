// Identity: the truth table of whose an event is, and the stories of people who become known.
import { describe, expect, test } from 'vitest';
import { type Contact, newContact } from '../../domain/contact.ts';
import { linkContact, type Resolution, resolve } from '../../domain/identity.ts';
import type { Interaction, SubjectKey } from '../../domain/interaction.ts';
import { foldOrder } from '../../domain/order.ts';
import cases from '../cases/identity.json' with { type: 'json' };
import { bookOf, event, instant, order, World } from '../support/people.ts';

interface Row {
  name: string;
  contacts: Record<string, string[]>;
  who: string[];
  expected: Resolution;
  why: string;
  owner?: string;
  contact?: string;
}
const rows = cases as unknown as Row[];
const key = (text: string): SubjectKey => text.replace(' ', '#');

describe('whose an event is', () => {
  test.each(rows)('$name: $why', (row) => {
    const contacts = new Map<string, Contact>();
    const known = new Map<SubjectKey, string>();
    for (const [id, aliases] of Object.entries(row.contacts)) {
      contacts.set(id, linkContact(newContact(id, 1), aliases.map(key)));
      for (const alias of aliases) known.set(key(alias), id);
    }
    const who: Interaction['who'] = Object.fromEntries(row.who.map((text) => text.split(' ')));
    if (row.contact !== undefined) who.contact = row.contact;
    const interaction = { ...event('Order Refunded', '2026-03-01', { order_id: '1' }), who };
    const spoken = foldOrder(undefined, interaction, 'EUR');
    const order = row.owner === undefined ? spoken : { ...spoken, owner: row.owner };
    const expected = { ...row.expected, ...('link' in row.expected ? { link: row.expected.link.map(key) } : {}) };
    expect(resolve(interaction, known, contacts, order)).toEqual(expected);
  });

  test('an order that somebody owns does not decide over an event that names a person', () => {
    const contacts = new Map([
      ['A', newContact('A', 1)],
      ['B', newContact('B', 1)],
    ]);
    const interaction = order('1', '2026-03-01', ['bag']);
    const owned = { ...foldOrder(undefined, interaction, 'EUR'), owner: 'A' };
    expect(resolve(interaction, new Map([[interaction.subject, 'B']]), contacts, owned)).toMatchObject({ id: 'B' });
  });
});

test('linking adds each key once', () => {
  const contact = linkContact(newContact('A', 1), ['user#u']);
  expect(linkContact(contact, ['user#u'])).toBe(contact);
  expect(linkContact(contact, ['user#u', 'anonymous#d']).aliases).toEqual(['user#u', 'anonymous#d']);
});

describe('people who become known', () => {
  const world = () => new World(bookOf());
  const living = (one: World) => [...one.contacts.values()].filter((contact) => contact.mergedInto === undefined);

  test('a user, an address and a device that were known apart become one', () => {
    const made = world().record([
      event('Identified', '2026-03-01', {}, { id: '1', user: 'ann' }),
      event('Identified', '2026-03-02', {}, { id: '2', address: 'ann@mail.example' }),
      event('Product Added', '2026-03-03', { product_id: 'bag', price: 40 }, { id: '3', anonymous: 'phone' }),
      event('Identified', '2026-03-04', {}, { id: '4', user: 'ann', address: 'ann@mail.example', anonymous: 'phone' }),
    ]);
    expect(living(made)).toHaveLength(1);
    const ann = made.person('ann');
    expect(ann.facts.address?.value).toBe('ann@mail.example');
    expect(ann.facts.cart.lines).toHaveProperty('bag');
    expect(ann.aliases).toHaveLength(3);
  });

  test('an address that two users claim stays with the first, and fails neither', () => {
    const made = world().record([
      event(
        'Identified',
        '2026-03-01',
        {},
        { id: '1', user: 'ann', address: 'shared@mail.example', traits: { country: 'PL' } },
      ),
      event(
        'Identified',
        '2026-03-02',
        {},
        { id: '2', user: 'bob', address: 'shared@mail.example', traits: { country: 'CZ' } },
      ),
    ]);
    expect(made.person('ann').facts.address?.value).toBe('shared@mail.example');
    expect(made.person('bob').facts.address).toBeUndefined();
    expect(made.person('bob').facts.attributes.country?.value).toBe('CZ');
  });

  test('two users on one device stay two', () => {
    const made = world().record([
      event('Identified', '2026-03-01', {}, { id: '1', user: 'ann', anonymous: 'tablet' }),
      event('Identified', '2026-03-02', {}, { id: '2', user: 'bob', anonymous: 'tablet' }),
      event('Product Added', '2026-03-03', { product_id: 'bag' }, { id: '3', anonymous: 'tablet' }),
    ]);
    expect(living(made)).toHaveLength(2);
    expect(made.person('ann').facts.cart.lines).toHaveProperty('bag');
    expect(made.person('bob').facts.cart.lines).toEqual({});
  });

  test('a repeat of an event from before the merge counts nothing', () => {
    const bought = order('1', '2026-03-01', ['bag'], { anonymous: 'phone' });
    const made = world().record([
      bought,
      event('Identified', '2026-03-02', {}, { user: 'ann', anonymous: 'phone' }),
      bought,
    ]);
    expect(made.person('ann').facts.orders).toMatchObject({ count: 1, gross: 4000, first: instant('2026-03-01') });
  });

  test('a refund that names nobody finds the buyer after a merge', () => {
    const made = world().record([
      event('Identified', '2026-02-01', {}, { id: '1', user: 'ann' }),
      order('1', '2026-03-01', ['bag'], { anonymous: 'phone' }),
      event('Identified', '2026-03-02', {}, { id: '2', user: 'ann', anonymous: 'phone' }),
      event('Order Refunded', '2026-03-03', { order_id: '1' }, { user: undefined }),
    ]);
    expect(made.person('ann').facts.orders).toMatchObject({ count: 1, gross: 4000, refunded: 4000 });
  });
});
