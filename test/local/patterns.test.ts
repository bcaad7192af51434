// Event patterns against the vectors that were validated on AWS.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compilePattern, PatternError } from '../../local/patterns.ts';

interface Vector {
  name: string;
  event: unknown;
  pattern: unknown;
  expected: 'match' | 'no_match' | 'invalid';
}

const file = new URL('../../../shared/data/eventbridge_patterns/cases.json', import.meta.url);
const vectors: Vector[] = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Vector[]) : [];
if (vectors.length === 0)
  console.warn('SKIPPED: the vectors of AWS are not on this machine (eventbridge_patterns/cases.json)');

function answer(pattern: unknown, event: unknown): string {
  try {
    return compilePattern(pattern)(event) ? 'match' : 'no_match';
  } catch (error) {
    if (error instanceof PatternError) return 'invalid';
    throw error;
  }
}

describe.skipIf(vectors.length === 0)('patterns validated on AWS', () => {
  it('are all there', () => {
    expect(vectors.length).toBe(155);
  });

  it.each(vectors)('$name', ({ pattern, event, expected }) => {
    expect(answer(pattern, event)).toBe(expected);
  });
});

describe('patterns', () => {
  it('keep the fields of one array element together', () => {
    const pattern = { detail: { lines: { sku: ['a'], colour: ['red'] } } };
    const lines = (...colours: string[]) => ({
      detail: {
        lines: [
          { sku: 'a', colour: colours[0] },
          { sku: 'b', colour: colours[1] },
        ],
      },
    });
    expect(answer(pattern, lines('red', 'blue'))).toBe('match');
    expect(answer(pattern, lines('blue', 'red'))).toBe('no_match');
  });

  it('match a list by any of its elements', () => {
    expect(answer({ detail: { tags: ['x'] } }, { detail: { tags: ['w', 'x'] } })).toBe('match');
  });

  it('read $or as alternatives beside the other fields', () => {
    const pattern = { source: ['shop'], $or: [{ detail: { a: [1] } }, { detail: { b: [2] } }] };
    expect(answer(pattern, { source: 'shop', detail: { b: 2 } })).toBe('match');
    expect(answer(pattern, { source: 'other', detail: { b: 2 } })).toBe('no_match');
    expect(answer(pattern, { source: 'shop', detail: { b: 3 } })).toBe('no_match');
  });

  it('refuse an unknown operator loudly', () => {
    expect(() => compilePattern({ a: [{ 'sounds-like': 'b' }] })).toThrow('Unrecognized match type sounds-like');
  });

  it('refuse two operators in one object', () => {
    expect(() => compilePattern({ a: [{ prefix: 'b', suffix: 'c' }] })).toThrow('Only one key allowed');
  });
});
