// Checking templates: which comparison goes with which type, and that no file, however odd, makes the check itself fail.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { checkTemplates } from '../../domain/check.ts';
import { advertisingIn } from '../../domain/check-kinds.ts';
import { RuleCheck } from '../../domain/check-rules.ts';
import { sayFault } from '../../domain/fault.ts';
import type { Comparison, OperatorName } from '../../domain/grammar.ts';
import type { FieldType } from '../../domain/settings.ts';
import { vocabularyOf } from '../../domain/vocabulary.ts';
import { committed, type Edit, edited } from '../templates/edit.ts';

const vocabulary = vocabularyOf({}, { topics: {} }, [], []);
const accepts = (type: FieldType, comparison: Comparison): boolean => {
  const check = new RuleCheck(vocabulary, 'x.json');
  check.comparison('value', type, comparison, ['has', 'value']);
  return check.faults.length === 0;
};

/** A value that fits each type, and each operator with it. */
const fitting: Record<FieldType, string | number | boolean> = {
  text: 'a',
  number: 1,
  money: 1.5,
  date: '2026-11-27',
  boolean: true,
  list: 'a',
};
const table: Record<OperatorName | 'is' | 'one of', FieldType[]> = {
  is: ['text', 'number', 'money', 'date', 'boolean', 'list'],
  'one of': ['text', 'number', 'money', 'date', 'boolean', 'list'],
  isNot: ['text', 'number', 'money', 'boolean', 'list'],
  atLeast: ['number', 'money'],
  moreThan: ['number', 'money'],
  atMost: ['number', 'money'],
  lessThan: ['number', 'money'],
  between: ['number', 'money', 'date'],
  contains: ['text', 'list'],
  startsWith: ['text'],
  exists: ['text', 'number', 'money', 'date', 'boolean', 'list'],
  before: ['date'],
  after: ['date'],
  inLast: ['date'],
  inNext: ['date'],
  moreThanAgo: ['date'],
  anniversary: ['date'],
};
const said = (operator: string, value: string | number | boolean): Comparison => {
  if (operator === 'is') return value;
  if (operator === 'one of') return [value];
  if (operator === 'between') return { between: [value, value] };
  if (operator === 'exists') return { exists: true };
  if (operator === 'anniversary') return { anniversary: 'today' };
  if (['inLast', 'inNext', 'moreThanAgo'].includes(operator)) return { [operator]: '7d' };
  return { [operator]: value };
};

describe.each(Object.entries(table))('the comparison "%s"', (operator, types) => {
  it.each(Object.keys(fitting) as FieldType[])('with %s', (type) => {
    expect(accepts(type, said(operator, fitting[type]))).toBe(types.includes(type));
  });
});

describe('a value of another type', () => {
  it.each([
    ['number', '3'],
    ['money', '12,50'],
    ['boolean', 'true'],
    ['date', '27.11.2026'],
    ['date', 20261127],
    ['text', true],
  ] as [FieldType, string | number | boolean][])('is refused for %s: %j', (type, value) => {
    expect([accepts(type, value), accepts(type, [value])]).toEqual([false, false]);
  });

  it('may be a number for a text, since shops write ids as both', () => {
    expect(accepts('text', 1042)).toBe(true);
  });
});

describe('the check', () => {
  it('reads the ready-made templates without a fault', async () => {
    const checked = checkTemplates(await committed());
    expect('faults' in checked ? checked.faults.map(sayFault) : []).toEqual([]);
  });

  it('answers with faults or a draft for any JSON in any place (property, seed 20260402)', async () => {
    const files = await committed();
    const names = [...files.keys()].filter((file) => file.endsWith('.json'));
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.array(fc.nat(20), { maxLength: 6 }),
        fc.jsonValue(),
        (file, steps, value) => {
          const root = { value: JSON.parse(files.get(file)!) as unknown };
          let holder: Record<string, unknown> = root;
          let last = 'value';
          for (const step of steps) {
            const next = holder[last];
            if (next === null || typeof next !== 'object' || Object.keys(next).length === 0) break;
            holder = next as Record<string, unknown>;
            last = Object.keys(holder)[step % Object.keys(holder).length]!;
          }
          holder[last] = value;
          const checked = checkTemplates(new Map([...files, [file, JSON.stringify(root.value)]]));
          const faults = 'faults' in checked ? checked.faults : [];
          for (const fault of faults) {
            expect(fault.code).toMatch(/^[a-z]+(\.[a-z-]+)+$/);
            expect(sayFault(fault)).toMatch(/\S.*[.?!…}]$/s);
            expect(fault.message).not.toMatch(/undefined|\[object/);
          }
        },
      ),
      { seed: 20260402, numRuns: 200 },
    );
  });
});

describe('what may not be meant', () => {
  const SETTINGS = 'settings.json';
  const WELCOME = 'campaigns/welcome.json';
  const CONFIRM = 'campaigns/confirm-subscription.json';
  const set = (path: (string | number)[], to: unknown): Edit => ({ file: SETTINGS, at: path, to });
  const welcome = (more: object): Edit[] => Object.entries(more).map(([at, to]) => ({ file: WELCOME, at: [at], to }));
  const plan = { 'mail.aurora-camera.example': { starts: '2026-12-01', days: [{ most: 50 }, { most: 400 }] } };

  async function told(edits: Edit[]): Promise<string[]> {
    const checked = checkTemplates(await edited(edits));
    expect('faults' in checked ? checked.faults.map(sayFault) : []).toEqual([]);
    return checked.warnings.map(sayFault);
  }

  it.each<[string, Edit[], string[]]>([
    [
      'opens that nobody can consent to',
      [set(['tracking'], { opens: true })],
      [
        'settings.json tracking.opens: nobody can consent to it: there is no topic "tracking", so no open is ever counted. Add the topic "tracking", say in its description that you see when an e-mail is opened, and deploy the stage with --track-opens true; or take "tracking" out.',
      ],
    ],
    [
      'a consent to opens that are off',
      [set(['topics', 'tracking'], { title: 'Opens' })],
      [
        'settings.json topics.tracking: asks people to let you see when they open an e-mail, and opens are off. Take it out, or write "tracking": { "opens": true } and deploy the stage with --track-opens true.',
      ],
    ],
    [
      'opens with the consent to them',
      [set(['topics', 'tracking'], { title: 'Opens' }), set(['tracking'], { opens: true })],
      [],
    ],
    [
      'a topic without a title in one of the languages',
      [set(['topics', 'news', 'title'], { en: 'News', de: 'Neues' })],
      ['settings.json topics.news.title: has no "pl": people who read it see the "en". Add "pl".'],
    ],
    [
      'a description in a language that is none of the shop',
      [set(['topics', 'news', 'description'], { en: 'a', de: 'b', pl: 'c', fr: 'd' })],
      [
        'settings.json topics.news.description.fr: "fr" is no locale of the shop: nobody sees it. Known: "en", "de", "pl".',
      ],
    ],
    [
      'a title for a language serves its countries',
      [set(['topics', 'news', 'title'], { en: 'a', de: 'b', pl: 'c' })],
      [],
    ],
    [
      'soft bounces that can hardly come together',
      [set(['softBounces'], { most: 20, over: '14d' }), set(['caps'], [{ most: 1, in: '4w' }])],
      [
        'settings.json softBounces.most: with at most 1 in 4w, 20 in a row take more than a year: no address is ever given up. Choose a lower number.',
      ],
    ],
    ['soft bounces as they are meant', [set(['softBounces'], { most: 5, over: '14d' })], []],
    [
      'more planned messages than the warm-up lets go',
      [set(['warmUp'], plan), ...welcome({ plannedPerDay: 500 })],
      [
        'campaigns/welcome.json plannedPerDay: 500 a day are meant, and the warm-up of mail.aurora-camera.example lets at most 400 go on its last day. Until the plan has ended the rest waits. Start the campaign later ("starts"), or lengthen the plan.',
      ],
    ],
    [
      'as many planned messages as the warm-up lets go',
      [set(['warmUp'], plan), ...welcome({ plannedPerDay: 400 })],
      [],
    ],
    [
      'a request by an event of the shop’s own',
      [{ file: WELCOME, at: ['topic'] }, ...welcome({ kind: 'requested', when: { did: 'Workshop Booked' } })],
      [
        'campaigns/welcome.json when.did: is "Workshop Booked" the person\'s own request for this e-mail? It is sent without consent. Name such events "… Requested", or make the campaign "marketing".',
      ],
    ],
    [
      'a requested campaign with a topic',
      welcome({ kind: 'requested', when: { did: 'Consent Requested' } }),
      [
        'campaigns/welcome.json topic: is not asked for: a requested e-mail needs the request, not a consent. Take it out.',
      ],
    ],
    [
      'a request by the person',
      [
        { file: 'fields.json', at: ['events', 'Back In Stock Requested'], to: { product_id: 'text' } },
        { file: WELCOME, at: ['topic'] },
        ...welcome({ kind: 'requested', aim: 'retention', when: { did: 'Back In Stock Requested' } }),
      ],
      [],
    ],
    [
      'a service campaign that a segment starts',
      [
        { file: CONFIRM, at: ['when'], to: { enters: 'vip' } },
        { file: CONFIRM, at: ['aim'], to: 'service' },
      ],
      [
        'campaigns/confirm-subscription.json when.enters: a service campaign tells a fact of an order or of a subscription, and a segment is a choice of people. Start it with the event itself, if there is one.',
      ],
    ],
  ])('%s', async (_, edits, warnings) => {
    expect(await told(edits)).toEqual(warnings);
  });
});

describe('advertising where there may be none', () => {
  const service = (did: string | string[]): Campaign => ({
    kind: 'service',
    aim: 'service',
    sender: 'main',
    when: { did },
    again: 'every time',
    steps: [{ send: 'mail' }],
  });
  const found = (source: string, ...did: string[]): string[] =>
    advertisingIn(source, service(did)).map(({ what, variable }) => `${what}: ${variable}`);
  const LINES = '{% for line in trigger.products %}{{ line.name }} {{ line.price | money }}{% endfor %}';
  const BOUGHT = '{% for one in bought %}{{ one.name }} {{ one.price }}{% endfor %}';

  it.each<[string, string, string[], string[]]>([
    [
      'facts of an order',
      `${LINES}{{ trigger.discount | money }} {{ trigger.coupon }} {{ product.price }}`,
      ['Order Completed'],
      [],
    ],
    ['what was bought, with its prices, after an order', BOUGHT, ['Order Completed', 'Order Delivered'], []],
    [
      'what was bought, with its prices, after something else',
      BOUGHT,
      ['Workshop Booked'],
      ['shows prices that are not of an order: one.price'],
    ],
    [
      'where one of the events is no order',
      BOUGHT,
      ['Order Completed', 'Workshop Booked'],
      ['shows prices that are not of an order: one.price'],
    ],
    ['what was bought, without prices, after something else', '{{ bought[0].name }}', ['Workshop Booked'], []],
    [
      'what was bought, in a request for consent',
      '{{ bought[0].name }}',
      ['Consent Requested'],
      ['shows products: bought.name'],
    ],
    [
      'recommendations, however they are called',
      '{% assign a = recommendations %}{% assign b = a | first %}{{ b.name }}',
      ['Order Completed'],
      ['recommends products: recommendations'],
    ],
    [
      'a recommendation that only a condition reads',
      '{% if recommendations.size > 0 %}See the shop{% endif %}',
      ['Order Completed'],
      ['recommends products: recommendations.size'],
    ],
    [
      'a discount of the person',
      '{{ contact.birthday_discount }} {{ contact.promoCode }}',
      ['Order Completed'],
      ['makes an offer: contact.birthday_discount', 'makes an offer: contact.promoCode'],
    ],
    [
      'a word that only sounds like one',
      '{{ contact.promoter }} {{ contact.offerte }} {{ topic }}',
      ['Order Completed'],
      [],
    ],
    [
      'a price by another way of writing',
      '{{ bought[0]["price"] }}',
      ['Workshop Booked'],
      ['shows prices that are not of an order: bought.price'],
    ],
    ['names that lead in a circle', '{% assign a = b %}{% assign b = a %}{{ a.price }}', ['Workshop Booked'], []],
    ['what is said in plain words', '10 % off everything with the code SPRING', ['Order Completed'], []],
  ])('%s', (_, source, did, expected) => {
    expect(found(source, ...did)).toEqual(expected);
  });
});
