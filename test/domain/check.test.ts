// Checking templates: which comparison goes with which type, and that no file, however odd, makes the check itself fail.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTemplates } from '../../domain/check.ts';
import { RuleCheck, vocabularyOf } from '../../domain/check-rules.ts';
import { sayFault } from '../../domain/fault.ts';
import type { Comparison, OperatorName } from '../../domain/grammar.ts';
import type { FieldType } from '../../domain/settings.ts';
import { committed } from '../templates/edit.ts';

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
};
const said = (operator: string, value: string | number | boolean): Comparison => {
  if (operator === 'is') return value;
  if (operator === 'one of') return [value];
  if (operator === 'between') return { between: [value, value] };
  if (operator === 'exists') return { exists: true };
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
