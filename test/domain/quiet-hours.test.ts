// Nobody is written to in quiet hours, in any zone of the tz database, over a year with all its changes of the clock.
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import type { Book } from '../../domain/book.ts';
import { type Contact, newContact } from '../../domain/contact.ts';
import { decide } from '../../domain/decide.ts';
import { recheck } from '../../domain/eligibility.ts';
import type { Interaction } from '../../domain/interaction.ts';
import type { Message } from '../../domain/message.ts';
import { bookOf, event, HOUR, instant, MINUTE, marketing } from '../support/people.ts';

const FROM = instant('2026-01-01');
const UNTIL = instant('2027-01-01');
/** All names that the platform knows, links and zones of fixed offset too. */
const zones = [
  ...Intl.supportedValuesOf('timeZone'),
  'UTC',
  'Etc/GMT+12',
  'Etc/GMT-14',
  'Asia/Calcutta',
  'US/Pacific',
  'Australia/LHI',
];

/** Over midnight; in the hours in which clocks are changed; and in the middle of the day. */
const windows = [
  { from: '21:00', to: '09:00' },
  { from: '00:30', to: '03:15' },
  { from: '22:45', to: '00:20' },
  { from: '02:10', to: '02:50' },
];
const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

/** Marketing and requested mail take turns; mail that ignores quiet hours beside the first. */
const books = windows.map((quietHours, i) =>
  bookOf({
    settings: { quietHours },
    campaigns: {
      now: marketing({
        kind: i % 2 === 0 ? 'marketing' : 'requested',
        when: { did: 'Product Viewed' },
        steps: [{ send: 'now' }],
      }),
      ...(i === 0 && {
        loud: marketing({ when: { did: 'Product Viewed' }, quiet: 'ignore', steps: [{ send: 'loud' }] }),
      }),
    },
  }),
);

function person(zone: string): Contact {
  const contact = newContact('c1', 1);
  contact.facts.address = { value: 'ann@mail.example', at: 1, id: '1' };
  contact.facts.attributes.timezone = { value: zone, at: 1, id: '1' };
  contact.facts.consents['shop|offers|email'] = { granted: true, at: 1, id: '1' };
  return contact;
}

/** Whose clock shows which time: told by the platform's calendar, not by ours. */
function clockOf(zone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (at) => minutesOf(format.format(at));
}

/** Instants at which the zone's clock is changed in that year. */
function changesIn(zone: string): number[] {
  const found: number[] = [];
  let at = Temporal.Instant.fromEpochMilliseconds(FROM).toZonedDateTimeISO(zone);
  for (
    let next = at.getTimeZoneTransition('next');
    next && next.epochMilliseconds < UNTIL;
    next = at.getTimeZoneTransition('next')
  ) {
    found.push(next.epochMilliseconds);
    at = next;
  }
  return found;
}

/** Every 47 hours of the year, and around each change of the clock every half hour of two days. */
function instantsIn(zone: string, changes: number[]): number[] {
  const salt = [...zone].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const usual: number[] = [];
  for (let at = FROM + (salt % 60) * MINUTE; at < UNTIL; at += 47 * HOUR + 7 * MINUTE) usual.push(at);
  return [
    ...usual,
    ...changes.flatMap((change) => Array.from({ length: 97 }, (_, i) => change + (i - 48) * 30 * MINUTE)),
  ];
}

function messagesAt(book: Book, contact: Contact, at: number): Message[] {
  const interaction: Interaction = event('Product Viewed', at, { product_id: 'bag' });
  const decided = decide(
    book,
    { ...contact, book: { hash: book.hash, ordinal: 1, counters: book.counterSet } },
    { kind: 'interaction', interaction },
    at,
  );
  if ('need' in decided) throw new Error('no past is read here');
  return decided.messages;
}

describe('given the quiet hours of the shop and a person in a zone', () => {
  const seen = { messages: 0, deferred: 0, changes: 0 };

  test(`none of ${zones.length} zones is written to in them, none later than must be, and what ignores them goes at once`, () => {
    for (const zone of zones) {
      const contact = person(zone);
      const clock = clockOf(zone);
      const changes = changesIn(zone);
      seen.changes += changes.length;
      instantsIn(zone, changes).forEach((at, i) => {
        const window = windows[i % windows.length]!;
        const [from, to] = [minutesOf(window.from), minutesOf(window.to)];
        const isQuiet = (instant: number): boolean => {
          const minutes = clock(instant);
          return from < to ? minutes >= from && minutes < to : minutes >= from || minutes < to;
        };
        const book = books[i % books.length]!;
        for (const message of messagesAt(book, contact, at)) {
          const { plannedAt, campaign } = message;
          seen.messages++;
          const told = `${campaign} to ${zone} at ${new Date(plannedAt).toISOString()}, asked at ${new Date(at).toISOString()}`;
          if (campaign === 'loud') {
            if (plannedAt !== at) throw new Error(`put off: ${told}`);
            continue;
          }
          if (isQuiet(plannedAt)) throw new Error(`in quiet hours: ${told}`);
          // Twelve hours, and two more where Troll puts its clock back.
          if (plannedAt < at || plannedAt > at + 14 * HOUR) throw new Error(`too far: ${told}`);
          if (plannedAt === at) continue;
          seen.deferred++;
          for (const before of [at, plannedAt - 1, at + Math.floor((plannedAt - at) / 2)]) {
            if (!isQuiet(before)) throw new Error(`put off though it was not quiet: ${told}`);
          }
          // A sender that comes too early is told the same.
          const verdict = recheck(book, contact, { ...message, plannedAt: at }, { suppressed: false, now: at });
          if (verdict.kind !== 'defer' || verdict.until !== plannedAt) throw new Error(`sent early: ${told}`);
        }
      });
    }
    expect(zones.length).toBeGreaterThan(400);
    expect(seen.changes).toBeGreaterThan(200);
    expect(seen.messages).toBeGreaterThan(120_000);
    expect(seen.deferred).toBeGreaterThan(15_000);
    // So many decisions take their time on a machine that does other things beside.
  }, 240_000);

  test('the shop’s own zone stands in for one that is not known', () => {
    const [book] = books as [Book];
    const at = instant('2026-06-15 20:00');
    const planned = (zone: string) =>
      messagesAt(book, person(zone), at).find(({ campaign }) => campaign === 'now')?.plannedAt;
    expect(planned('Mars/Base')).toBe(planned('Europe/Warsaw'));
    expect(planned('Europe/Warsaw')).toBe(instant('2026-06-16 07:00'));
  });

  test('a day whose quiet hours begin before the clock goes forward and end behind it', () => {
    const [, book] = books as [Book, Book];
    // New York, 8 March 2026: 02:00 is 03:00. Quiet from 00:30 to 03:15.
    const at = instant('2026-03-08 06:30');
    expect(messagesAt(book, person('America/New_York'), at).find(({ campaign }) => campaign === 'now')?.plannedAt).toBe(
      instant('2026-03-08 07:15'),
    );
  });
});
