// What `kairos reach` says, in lines: how many, why not others, and from when to when in each zone.
import type { CompiledCampaign } from '../domain/compiled-campaign.ts';
import type { Passed, Share } from '../domain/reach.ts';
import { sayWhen } from '../domain/say-campaign.ts';
import { sayReason } from '../domain/say-decision.ts';
import { sayInstant } from '../domain/say-found.ts';
import { type Paper, page } from './page.ts';
import type { Reached } from './reach-rate.ts';
import { span } from './stage.ts';
import { count } from './validate.ts';

const MOST_ZONES = 12;
const lasting = (seconds: number): string =>
  Number.isFinite(seconds) ? span(Math.max(1000, seconds * 1000)) : 'no end: SES allows none';
const many = (number: number): string => number.toLocaleString('en');

const KEPT: Record<string, string> = {
  suppressed: 'the address is suppressed',
  again: 'has had it (“again”: never)',
  resting: 'its topic rests',
  'held out': 'held out: the steps are walked unsent',
};

/** A number of contacts with its interval, where it is estimated: "about 2,730 (2,110 to 3,470)". */
export function sayShare({ contacts, low, high }: Share, exact: boolean): string {
  return exact ? many(contacts) : `about ${many(contacts)} (${many(low)} to ${many(high)})`;
}

/** In one line, for a publish: whom it would reach, and how long that takes. */
export function sayReachShort({ campaign, reached, exact, asked, outgoing, rate, over }: Reached): string {
  const of = exact ? '' : `, by a sample of ${asked}`;
  const time =
    over === true
      ? '; its time is over'
      : outgoing === undefined || rate === undefined
        ? ''
        : `; out in ${lasting(outgoing.seconds)} at ${many(rate.perSecond)} a second`;
  return `${campaign} would reach ${sayShare(reached, exact)} contacts${of}${time}`;
}

/** What a broadcast, or its rate, is in the way of. */
export function reachWarnings(reached: Reached, { campaign }: CompiledCampaign): string[] {
  const { outgoing, rate, paused, over } = reached;
  const found: string[] = [];
  if (paused) found.push('The campaign is paused: nothing of it is sent.');
  if (over) found.push('Its time is over: nobody is reached any more.');
  if (rate?.held !== undefined) found.push(`No bulk is sent at present: ${rate.held}.`);
  if (outgoing === undefined) return found;
  if (outgoing.waits > 0) {
    const times = count(outgoing.waits, 'time');
    found.push(`The day’s quota of SES makes it wait ${times}: ${lasting(outgoing.seconds)} in all.`);
  }
  const late = outgoing.passed.reduce((sum, one) => sum + one.tooLate, 0);
  if (late > 0) {
    found.push(
      `About ${many(late)} of them would come later than “expires” allows (${campaign.expires} after their time), and are not sent.`,
    );
  }
  const quiet = outgoing.passed.filter((one) => one.quiet !== undefined);
  for (const { zone, quiet: hours } of quiet.slice(0, 3)) {
    if (hours === undefined) continue;
    found.push(
      `It reaches into the quiet hours of ${zone}, from ${sayInstant(hours.from, zone)}: the rest waits until ${sayInstant(hours.to, zone)}.`,
    );
  }
  if (quiet.length > 3) found.push(`And into those of ${count(quiet.length - 3, 'further zone')}.`);
  return found;
}

/** The reach of a campaign in lines. */
export function drawReach(reached: Reached, compiled: CompiledCampaign, paper: Paper): string[] {
  const { lines, tone, dim, put } = page(paper, reached.shopZone);
  const { campaign, title, asked, contacts, exact, inside, kept, outgoing, rate, perDay, shopZone } = reached;
  const { when } = compiled.campaign;
  lines.push(`${tone('bold', campaign)}${title === undefined ? '' : `  ${title}`}`);
  put(`Starts ${sayWhen(when)}.`, '  ', undefined, '  ');
  put(
    exact
      ? `All ${count(contacts, 'contact')} were asked, as they are now.`
      : `${many(asked)} of about ${many(contacts)} contacts were asked, as they are now; in brackets where the number lies with 95 % certainty.`,
    '  ',
    dim,
  );
  const meant = audienceWords(compiled);
  const rows: [string, Share, boolean][] = [
    [meant, inside, false],
    ...kept.map(({ reason, share }): [string, Share, boolean] => [
      `  ${Object.hasOwn(KEPT, reason) ? KEPT[reason] : sayReason(reason)}`,
      share,
      false,
    ]),
    ['would be written to', reached.reached, true],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  lines.push('');
  for (const [name, share, bold] of rows) {
    const line = `  ${name.padEnd(width)}  ${sayShare(share, exact)}`;
    lines.push(bold ? tone('bold', line) : line);
  }
  if (perDay !== undefined) {
    lines.push('');
    put(
      `Those inside begin ${many(perDay.most)} a day: after about ${count(perDay.days, 'day')} all have begun.`,
      '  ',
    );
  }
  if (outgoing !== undefined && rate !== undefined) {
    lines.push('');
    put(
      `Next: ${outgoing.occurrence}. At ${many(rate.perSecond)} a second (bulk) ${exact ? '' : 'about '}${many(reached.reached.contacts)} messages take ${lasting(outgoing.seconds)}.`,
      '  ',
    );
    const each = 'clock' in when && when.clock === 'contact';
    const shown = outgoing.passed.slice(0, MOST_ZONES);
    const wide = Math.max(...shown.map(({ zone }) => zone.length), 0);
    for (const one of shown)
      put(
        `${one.zone.padEnd(wide)}  ${sayWave(one, each ? shopZone : undefined)}`,
        '    ',
        undefined,
        ' '.repeat(wide + 2),
      );
    if (outgoing.passed.length > shown.length)
      lines.push(`    … and ${outgoing.passed.length - shown.length} more: --json has them all`);
  } else if (rate === undefined && 'clock' in when && !reached.over) {
    lines.push('');
    put('At what rate this stage sends is not known: SES was never asked. Deploy it, or start it.', '  ', dim);
  }
  const warnings = reachWarnings(reached, compiled);
  if (warnings.length > 0) lines.push('');
  for (const warning of warnings) put(warning, '  ', (line) => tone('yellow', line), '  ');
  return lines;
}

function audienceWords({ campaign: { when, for: meant } }: CompiledCampaign): string {
  if ('to' in when) return 'in its audience';
  const who = 'enters' in when ? `in ${when.enters} now` : 'date' in when ? `with ${when.date} known` : undefined;
  if (who === undefined) return meant === undefined ? 'everybody: it has no “for”' : 'in “for”, whenever it starts';
  return meant === undefined ? who : `${who} and in “for”`;
}

/** "1,200 from 16 June 2026, 10:00 to 10:03 (shop: 11:00)". */
function sayWave({ zone, at, due, from, to, messages }: Passed, shopZone: string | undefined): string {
  const clock = (instant: number, of: string): string => sayInstant(instant, of).split(', ').at(-1) ?? '';
  const waits = from - at >= 60_000 ? `, ${lasting((from - at) / 1000)} behind others` : '';
  const there = shopZone === undefined ? '' : clock(from, shopZone);
  const shop = there === '' || there === clock(from, zone) ? '' : ` (shop: ${there})`;
  const rest = at > due ? ', when the test has ended' : '';
  return `${many(messages)} from ${sayInstant(from, zone)} to ${clock(to, zone)}${shop}${rest}${waits}`;
}
