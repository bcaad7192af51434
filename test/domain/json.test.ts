// JSON as people write it by hand.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../domain/json.ts';

const problem = (text: string): string => {
  const parsed = parseJson(text);
  return 'problem' in parsed ? `${parsed.problem.line}:${parsed.problem.column} ${parsed.problem.message}` : 'none';
};

describe('a JSON text', () => {
  it('is read as JSON.parse reads it (property, seed 20260401)', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const expected: unknown = JSON.parse(text);
        if (text.includes('__proto__')) return;
        expect(parseJson(text)).toEqual({ value: expected });
      }),
      { seed: 20260401, numRuns: 500 },
    );
  });

  it.each([
    ['{"a":1,}', '1:8 A comma stands before "}".'],
    ['{\n  "a": 1\n  "b": 2\n}', '3:3 Found a text where "," or "}" is expected.'],
    ['{"a":12,5}', '1:9 Found "5" where a name in quotation marks is expected.'],
    ['{"a": yes}', '1:7 yes stands without quotation marks.'],
    ['{"a": "x\ny"}', '1:7 This text is not closed.'],
    ['{"a":1,"a":2}', '1:8 "a" stands twice in one object.'],
    ['{"__proto__": 1}', '1:2 "__proto__" cannot be a name.'],
    ['[1] 2', '1:5 Found "2" where the end of the file is expected.'],
    ['{"a":01}', '1:7 This is not a number.'],
    ['', '1:1 The file is empty.'],
    [`${'['.repeat(300)}`, '1:202 The file is nested too deeply.'],
  ])('%j is refused with its place', (text, expected) => {
    expect(problem(text)).toBe(expected);
  });

  it('may begin with a byte order mark', () => {
    expect(parseJson('\ufeff{"a":1}')).toEqual({ value: { a: 1 } });
  });
});
