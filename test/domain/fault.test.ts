// How schema errors become one useful sentence.

import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { Step } from '../../domain/campaign-grammar.ts';
import { KairosError, nearest, quote, sayFault, sayPath, suggest } from '../../domain/fault.ts';
import { Rule } from '../../domain/grammar.ts';
import { faultsOf } from '../../domain/shape-faults.ts';

const said = (schema: z.ZodType, value: unknown, file = 'x.json'): string[] => {
  const result = schema.safeParse(value);
  return result.success ? [] : faultsOf(result.error, { file, value, schema }).map(sayFault);
};

describe('the sentence of a fault', () => {
  it('says file, place, what is wrong and what to do', () => {
    const fault = {
      code: 'shape.unknown-key',
      file: 'win-back.json',
      path: 'segment.all[0].operator',
      message: '"olderThan" is unknown.',
      remedy: 'Did you mean "moreThan"?',
    };
    expect(sayFault(fault)).toBe(
      'win-back.json segment.all[0].operator: "olderThan" is unknown. Did you mean "moreThan"?',
    );
  });

  it('leaves out what there is not', () => {
    expect(sayFault({ code: 'x', path: '', message: 'It broke.' })).toBe('It broke.');
  });

  it('is the message of the error that carries it', () => {
    const error = new KairosError({ code: 'x.y', path: 'a', message: 'is wrong.' });
    expect([error.message, error.fault.code, error.name]).toEqual(['a: is wrong.', 'x.y', 'KairosError']);
  });
});

describe('a path', () => {
  it.each([
    [['rule', 'all', 0, 'latest'], 'rule.all[0].latest'],
    [['has', 'orders.count'], 'has["orders.count"]'],
    [['products', 'halden-mini', 'price'], 'products.halden-mini.price'],
    [['events', 'Order Completed'], 'events["Order Completed"]'],
    [[0, 'a'], '[0].a'],
    [[], ''],
  ])('of %j is %s', (path, text) => {
    expect(sayPath(path)).toBe(text);
  });
});

describe('the nearest word', () => {
  it.each([
    ['olderThan', ['moreThan', 'atLeast', 'contains'], 'moreThan'],
    ['olderThan', ['moreThanAgo', 'inLast', 'before', 'after'], 'moreThanAgo'],
    ['inlast', ['inLast', 'inNext'], 'inLast'],
    ['sned', ['send', 'wait'], 'send'],
    ['gte', ['atLeast', 'moreThan'], 'atLeast'],
    ['count', ['orders.count', 'orders.spend'], 'orders.count'],
    ['xyzzy', ['send', 'wait'], undefined],
    ['', ['send'], undefined],
  ])('to %s among %j is %s', (word, words, expected) => {
    expect(nearest(word, words)).toBe(expected);
  });

  it('is asked for, or else the short list is given, and a long one is not', () => {
    expect(suggest('wiat', ['wait', 'send'])).toBe('Did you mean "wait"?');
    expect(suggest('xyzzy', ['wait', 'send'])).toBe('Known: "wait", "send".');
    expect(
      suggest(
        'xyzzy',
        Array.from({ length: 30 }, (_, index) => `word-number-${index}`),
      ),
    ).toBeUndefined();
  });
});

describe('a fault of a union', () => {
  it('comes from the option whose key is there', () => {
    expect(said(Step, { waitFor: { segment: 'vip' } })).toEqual(['x.json: "upTo" is missing. Add "upTo".']);
  });

  it('is told at the deepest place, through unions inside unions', () => {
    expect(said(Rule, { not: { any: [{ did: 'A', times: { atleast: 2 } }] } })).toEqual([
      'x.json not.any[0].times: "atleast" is unknown. Did you mean "atLeast"?',
    ]);
  });

  it('names two subjects where one belongs', () => {
    expect(said(Rule, { has: { a: 1 }, did: 'A' })).toEqual([
      'x.json: says both "has" and "did", where one belongs. Keep one of them.',
    ]);
  });

  it('lists what could stand there when nothing does', () => {
    expect(said(Rule, {})).toEqual([
      'x.json: the object is empty. Say one of: all, any, not, has, did, segment, consent, share.',
    ]);
  });

  it('says which kinds fit when the value is of none', () => {
    expect(said(z.union([z.number(), z.boolean()]), 'yes')).toEqual([
      'x.json: "yes" does not belong here. Write a number or true or false.',
    ]);
  });

  it('knows literals that are nearly met', () => {
    expect(said(Step, { wait: '@product.replaceafter' })).toEqual([
      'x.json wait: "@product.replaceafter" does not fit. Did you mean "@product.replaceAfter"?',
    ]);
  });

  it('tells every fault of a list, each at its place', () => {
    expect(said(Rule, { all: [{ segmet: 'a' }, { did: 'B', inLast: '3 days' }] })).toEqual([
      'x.json all[0]: "segmet" is unknown. Did you mean "segment"?',
      'x.json all[1].inLast: "3 days" does not fit. Expected: a duration such as 30m, 4h, 60d or 2w.',
    ]);
  });
});

describe('a misspelt key', () => {
  it('is one fault, not an unknown and a missing one', () => {
    expect(said(z.strictObject({ name: z.string(), price: z.number() }), { nmae: 'x', price: 1 })).toEqual([
      'x.json: "nmae" is unknown. Did you mean "name"?',
    ]);
  });
});

describe('a quotation', () => {
  it('is short and one line', () => {
    expect(quote('a'.repeat(100))).toHaveLength(59);
    expect(quote('a\nb')).toBe('"a\\nb"');
    expect([quote(undefined), quote(null), quote([1]), quote({ a: 1 }), quote(12.5)]).toEqual([
      'nothing',
      'null',
      'a list',
      'an object',
      '12.5',
    ]);
  });
});
