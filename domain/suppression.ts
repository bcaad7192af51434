// Who must not be written to, as other tools export it: one row by address or hash, with the reason in their words.
import * as z from 'zod';
import { hashAddress, parseAddress } from './address.ts';
import type { Fault } from './fault.ts';

/** A block on an address, or the withdrawal of everything of a brand, which a later consent can end. */
export interface Suppression {
  /** SHA-256 in hex of the normalised address. */
  hash: string;
  reason: 'bounced' | 'complained' | 'unsubscribed';
  /** Epoch milliseconds; absent when the row has no date. */
  at?: number;
  brand?: string;
}

/** Other tools' words, in small letters without anything but letters. */
const WORDS: Record<Suppression['reason'], string[]> = {
  bounced: [
    'bounced',
    'bounce',
    'bounces',
    'hardbounce',
    'hardbounced',
    'hardbounces',
    'permanentbounce',
    'permanent',
    'cleaned',
    'invalid',
    'invalidemail',
    'invalidemails',
    'undeliverable',
  ],
  complained: [
    'complained',
    'complaint',
    'complaints',
    'spam',
    'spamreport',
    'spamreports',
    'spamreported',
    'spamcomplaint',
    'spamcomplaints',
    'markedspam',
    'markedasspam',
    'reportedspam',
    'reportedasspam',
    'abuse',
    'abusecomplaint',
  ],
  unsubscribed: [
    'unsubscribed',
    'unsubscribe',
    'unsubscribes',
    'optout',
    'optedout',
    'globalunsubscribe',
    'globalunsubscribes',
    'usersuppressed',
    'manuallysuppressed',
  ],
};
const REASONS = new Map(
  Object.entries(WORDS).flatMap(([reason, words]) => words.map((word) => [word, reason as Suppression['reason']])),
);
const TEMPORARY = new Set([
  'softbounce',
  'softbounced',
  'softbounces',
  'transient',
  'transientbounce',
  'block',
  'blocks',
  'blocked',
]);

const blankAsMissing = z
  .string()
  .max(1000)
  .nullish()
  .transform((value) => (value === null || value === undefined || value.trim() === '' ? undefined : value.trim()));
const Row = z.looseObject({
  address: blankAsMissing,
  hash: blankAsMissing,
  reason: blankAsMissing,
  date: blankAsMissing,
  brand: blankAsMissing,
});

/**
 * One row of a suppression list; cells as text. `skipped`: the row is understood and blocks nobody (a soft bounce).
 * Reads the words of Mailchimp, SendGrid, Klaviyo and SES beside ours; dates in ISO 8601 (UTC where no offset is
 * given) or as Unix seconds. Faults never quote the address. Never throws.
 */
export function parseSuppressionRow(
  row: Record<string, unknown>,
): { suppression: Suppression } | { skipped: string } | { fault: Fault } {
  const parsed = Row.safeParse(row);
  if (!parsed.success) return fault('suppression.row', String(parsed.error.issues[0]?.path[0] ?? ''), 'is not a text.');
  const { address, hash, reason, date, brand } = parsed.data;
  const known = hashOf(address, hash);
  if (typeof known !== 'string') return known;
  if (reason === undefined) return fault('suppression.reason', 'reason', 'is missing.');
  const word = reason.toLowerCase().replace(/[^a-z]/g, '');
  if (TEMPORARY.has(word)) return { skipped: 'a temporary failure' };
  const meant = REASONS.get(word);
  if (meant === undefined) {
    return fault('suppression.reason', 'reason', 'is not known.', 'bounced, complained or unsubscribed');
  }
  if (brand !== undefined && !/^[a-z0-9][a-z0-9-]{0,63}$/.test(brand)) {
    return fault('suppression.brand', 'brand', 'is not the id of a brand.', 'small letters, digits and hyphens');
  }
  const at = date === undefined ? undefined : instantOf(date);
  if (Number.isNaN(at)) {
    return fault(
      'suppression.date',
      'date',
      'is not a date.',
      '2026-03-29T10:00:00Z, 2026-03-29 10:00:00 or 2026-03-29',
    );
  }
  return {
    suppression: {
      hash: known,
      reason: meant,
      ...(at === undefined ? {} : { at }),
      ...(brand === undefined ? {} : { brand }),
    },
  };
}

function hashOf(address: string | undefined, hash: string | undefined): string | { fault: Fault } {
  if (hash !== undefined && !/^[0-9a-f]{64}$/i.test(hash)) {
    return fault('suppression.hash', 'hash', 'is not a SHA-256 in hex.', '64 characters of 0-9 and a-f');
  }
  const given = hash?.toLowerCase();
  if (address === undefined) return given ?? fault('suppression.nobody', '', 'has neither address nor hash.');
  const parsed = parseAddress(address);
  if ('refused' in parsed) {
    return given ?? fault('suppression.address', 'address', `cannot be an address (${parsed.refused}).`);
  }
  if (given !== undefined && given !== parsed.hash && given !== hashAddress(address)) {
    return fault('suppression.hash', 'hash', 'is not the hash of the address beside it.');
  }
  return parsed.hash;
}

function instantOf(date: string): number {
  if (/^\d{9,10}$/.test(date)) return Number(date) * 1000;
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|UTC|[+-]\d\d:?\d\d)?)?$/.exec(date);
  if (!found) return Number.NaN;
  const [, day, time = '00:00', zone = 'Z'] = found as unknown as [string, string, string?, string?];
  // Date.parse would move 30 February to March.
  if (!z.iso.date().safeParse(day).success) return Number.NaN;
  const offset = zone === 'UTC' ? 'Z' : zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
  return Date.parse(`${day}T${time}${offset}`);
}

function fault(code: string, path: string, message: string, expected?: string): { fault: Fault } {
  return { fault: { code, path, message, ...(expected === undefined ? {} : { expected }) } };
}
