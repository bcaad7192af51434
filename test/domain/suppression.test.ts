// Rows of suppression lists: our words and other tools', and what is refused.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashAddress } from '../../domain/address.ts';
import { parseSuppressionRow } from '../../domain/suppression.ts';
import cases from '../cases/suppression.json' with { type: 'json' };

interface Case {
  name: string;
  row: Record<string, unknown>;
  gives?: { address: string; reason: string; at?: string; brand?: string };
  skipped?: boolean;
  fault?: string;
}

describe('a row of a suppression list', () => {
  test.each(cases as Case[])('$name', ({ row, gives, skipped, fault }) => {
    const read = parseSuppressionRow(row);
    if (fault !== undefined) expect(read).toMatchObject({ fault: { code: fault } });
    else if (skipped) expect(read).toHaveProperty('skipped');
    else {
      const { address, at, ...rest } = gives!;
      expect(read).toEqual({
        suppression: { hash: hashAddress(address), ...rest, ...(at === undefined ? {} : { at: Date.parse(at) }) },
      });
    }
  });
  test('a fault does not quote the address', () => {
    const read = parseSuppressionRow({ address: 'qqzz@example', reason: 'bounced' });
    expect(JSON.stringify(read)).not.toContain('qqzz');
  });
  test('nothing makes it throw', () => {
    const cell = fc.oneof(fc.anything(), fc.string({ unit: 'binary' }), fc.emailAddress());
    fc.assert(
      fc.property(
        fc.record({ address: cell, hash: cell, reason: cell, date: cell, brand: cell }, { requiredKeys: [] }),
        (row) => {
          const read = parseSuppressionRow(row);
          expect(Object.keys(read)).toHaveLength(1);
        },
      ),
    );
  });
});
