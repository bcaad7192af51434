// Checks what starts a campaign, form by form: it exists, its parts go together, and it can happen.
import type { Campaign, When } from './campaign-grammar.ts';
import { NO_RUN } from './check-references.ts';
import type { RuleCheck } from './check-rules.ts';
import { problemOf } from './check-values.ts';
import type { Draft } from './draft.ts';
import { suggest } from './fault.ts';
import type { Where } from './grammar.ts';
import { movesByTime } from './insight/attributes.ts';
import { derivedAttributes } from './rule-attributes.ts';
import { TIER } from './tiers.ts';
import { durationMs } from './time.ts';
import { attributeType } from './vocabulary.ts';
import { compileWhere } from './where.ts';

type Form<K extends string> = Extract<When, Record<K, unknown>>;
type Broadcast = Form<'clock'>;

/** Faults and doubts of the "when" of a campaign; `check` gathers them. */
export function checkWhen(campaign: Campaign, check: RuleCheck, draft: Draft): void {
  const { when } = campaign;
  // What starts a run is asked before there is one.
  const before = check.knowing(NO_RUN);
  if ('did' in when) checkDid(when, before, draft);
  else if ('enters' in when) checkSegment('enters', when.enters, check, draft);
  else if ('leaves' in when) checkSegment('leaves', when.leaves, check, draft);
  else if ('changes' in when) checkChanges(when, check, draft);
  else if ('date' in when) checkDate(when, campaign, check, draft);
  else if ('due' in when) checkDue(when, before, draft);
  else if ('product' in when) checkProduct(when, before, draft);
  else {
    checkBroadcast(when, campaign, check, draft);
    before.rule(when.to, ['when', 'to']);
  }
}

function checkSegment(form: 'enters' | 'leaves', segment: string, check: RuleCheck, { vocabulary }: Draft): void {
  check.name('reference.segment', 'segment', segment, vocabulary.segments, ['when', form]);
}

function checkDid(when: Form<'did'>, check: RuleCheck, { vocabulary }: Draft): void {
  check.did(when, ['when']);
  const known = [when.did].flat().filter((name) => Object.hasOwn(vocabulary.events, name));
  if (
    when.each !== undefined &&
    known.length > 0 &&
    !known.every((name) => typeof vocabulary.events[name]?.products === 'object')
  ) {
    check.fault(
      'campaign.each',
      ['when', 'each'],
      `not every event of "did" has lines of products.`,
      'Use "each" with events of orders.',
    );
  }
}

/** What turns by time alone, and what holds only inside of runs: no event changes it. */
const BY_TIME = 'moves as days pass, and no event changes it';
const UNCHANGED: Record<string, string> = {
  ...Object.fromEntries(
    Object.keys(derivedAttributes)
      .filter(movesByTime)
      .map((name) => [name, BY_TIME]),
  ),
  'rhythm.overdue': 'grows with time, and no event changes it',
  running: 'is what campaigns do themselves',
};

function checkChanges({ changes, from, to }: Form<'changes'>, check: RuleCheck, { vocabulary, settings }: Draft): void {
  const at = ['when', 'changes'];
  const type = attributeType(changes, vocabulary);
  if (type === undefined) {
    const words = [...Object.keys(derivedAttributes), ...Object.keys(vocabulary.attributes)];
    const near = suggest(changes, words);
    check.fault(
      'reference.attribute',
      at,
      `the attribute "${changes}" is unknown.`,
      near?.startsWith('Did') ? near : 'Attributes of your own are declared in fields.json.',
    );
    return;
  }
  const why = changes.endsWith('.givenAt') ? 'is when a value was given' : UNCHANGED[changes];
  if (why !== undefined) {
    check.fault(
      'campaign.changes',
      at,
      `"${changes}" ${why}.`,
      changes.endsWith('.givenAt')
        ? `Name the attribute itself: "${changes.slice(0, -'.givenAt'.length)}".`
        : changes === 'running'
          ? 'Name an attribute of the contact.'
          : 'Write a segment that asks it, and start with {"enters": …}.',
    );
    return;
  }
  const said = Object.entries({ from, to }).filter(([, wanted]) => wanted !== undefined);
  if (said.length > 0 && type === 'money' && Object.hasOwn(derivedAttributes, changes)) {
    check.fault(
      'campaign.changes',
      ['when', said[0]![0]],
      `"${changes}" is an amount: it is hardly ever just that.`,
      'Write a segment such as {"has": {"orders.spend": {"atLeast": 1000}}}, and start with {"enters": …}.',
    );
    return;
  }
  if (changes === TIER) {
    for (const [key, wanted] of said)
      check.tiers(
        [wanted].flat().filter((one) => one !== 'none'),
        ['when', key],
      );
  }
  for (const [key, wanted] of said) {
    [wanted].flat().forEach((value, index) => {
      // "none" stands for no value, whatever the type.
      if (value === undefined || value === 'none') return;
      const path = ['when', key, ...(Array.isArray(wanted) ? [index] : [])];
      if (typeof value === 'string' && value.startsWith('@')) {
        check.fault('rule.reference', path, `"${value}" is known only inside a run.`, 'Write the value itself.');
        return;
      }
      const problem = problemOf(changes, type, value, settings.currency);
      if (problem === undefined) return;
      if (problem.doubt === true) check.warn(problem.code, path, problem.message, problem.remedy);
      else check.fault(problem.code, path, problem.message, problem.remedy);
    });
  }
  const [before, after] = [from, to].map((wanted) => [...new Set([wanted].flat())]);
  if (before!.length === 1 && after!.length === 1 && before![0] !== undefined && before![0] === after![0]) {
    check.fault(
      'campaign.changes',
      ['when', 'to'],
      `from ${JSON.stringify(from)} to the same nothing changes.`,
      'Write another value, or take one of them out.',
    );
  }
}

function checkDate(
  { date, before, once, at }: Form<'date'>,
  campaign: Campaign,
  check: RuleCheck,
  { vocabulary, settings }: Draft,
): void {
  const type = attributeType(date, vocabulary);
  if (type !== 'date') {
    const dates = Object.entries({ ...derivedAttributes, ...vocabulary.attributes }).flatMap(([name, of]) =>
      of === 'date' ? [name] : [],
    );
    check.fault(
      type === undefined ? 'reference.attribute' : 'campaign.date',
      ['when', 'date'],
      type === undefined ? `the attribute "${date}" is unknown.` : `"${date}" is no date.`,
      suggest(date, dates) ?? 'Dates of your own are declared in fields.json.',
    );
  }
  if (date === 'predicted.nextOrder' && once !== true) {
    check.fault(
      'campaign.date',
      ['when', 'date'],
      '"predicted.nextOrder" is another day after each order, and none that comes again each year.',
      'Write "once": true.',
    );
  }
  const [, count = '0', unit = 'd'] = /^(\d+)(\w)$/.exec(before ?? '') ?? [];
  if (unit !== 'd' && unit !== 'w') {
    check.fault(
      'campaign.date',
      ['when', 'before'],
      `"${before}" is no number of days, and a date begins at midnight.`,
      'Write whole days, such as "3d", or weeks; the time of the day is "at".',
    );
  } else if (once !== true && Number(count) * (unit === 'w' ? 7 : 1) > 365) {
    check.fault(
      'campaign.date',
      ['when', 'before'],
      `"${before}" before a day of each year is after the one of the year before.`,
      'Write at most 365d, or "once": true.',
    );
  }
  if (once === true && date === 'birthday') {
    check.warn(
      'campaign.date',
      ['when', 'once'],
      'a date of birth is long past: only its day of each year comes again.',
      'Take "once" out.',
    );
  }
  if (at !== undefined) checkQuiet(at, 'at', campaign, check, settings.quietHours, true);
}

function checkDue({ where }: Form<'due'>, check: RuleCheck, { catalogue }: Draft): void {
  if (where !== undefined) {
    check.where(where, ['Order Completed'], ['when', 'where']);
    if (!Object.hasOwn(where, 'products')) {
      check.fault(
        'campaign.due',
        ['when', 'where'],
        'says nothing of products, and it is they that run out.',
        'Write {"products": {"catalogue.consumable": true}}, for example.',
      );
      return;
    }
  }
  if (check.faults.length > 0) return;
  const meant = productsOf(where?.products as Where | undefined, catalogue);
  if (meant === undefined) return;
  const products = Object.entries(catalogue.products).filter(([id]) => meant.includes(id));
  if (products.length === 0) {
    check.warn(
      'campaign.due',
      ['when', 'where'],
      'no product of the catalogue is meant.',
      'Mend it, or the catalogue.',
    );
  } else if (products.every(([, { lastsFor }]) => lastsFor === undefined)) {
    check.warn(
      'campaign.due',
      ['when', 'due'],
      'of no product that is meant the catalogue says how long it lasts: only who bought it twice is written to.',
      'Add "lastsFor" to catalogue.json, such as "30d".',
    );
  }
}

/** Products of the catalogue that a "where" of lines means; undefined where it also asks for what only an order knows. */
function productsOf(where: Where | undefined, catalogue: Draft['catalogue']): string[] | undefined {
  const ids = Object.keys(catalogue.products);
  if (where === undefined) return ids;
  if (!Object.keys(where).every((name) => name.startsWith('catalogue.') || name === 'product_id')) return undefined;
  const { test } = compileWhere(where);
  return ids.filter((id) => test({ product_id: id }, { now: 0, zone: 'UTC', catalogue }));
}

function checkProduct(when: Form<'product'>, check: RuleCheck, { vocabulary }: Draft): void {
  const { product: turn, by, watchedBy, atMost } = when;
  const fault = (path: (string | number)[], message: string, remedy: string): void =>
    check.fault('campaign.product', ['when', ...path], message, remedy);
  if (by !== undefined && turn === 'back in stock') {
    fault(['by'], 'a product is back in stock, or it is not: there is no more or less.', 'Take it out.');
  } else if (by !== undefined && 'atMost' in by && turn === 'price drop') {
    fault(
      ['by'],
      `"atMost": ${by.atMost} is a number of units, and a price drops by percent.`,
      'Write {"atLeast": "10%"}.',
    );
  } else if (by !== undefined && 'atLeast' in by && turn === 'low stock') {
    fault(['by'], `"atLeast": "${by.atLeast}" is of a price, and stock is counted in units.`, 'Write {"atMost": 5}.');
  } else if (by === undefined && turn === 'low stock') {
    fault([], '"low stock" does not say how few are left.', 'Add "by": {"atMost": 5}.');
  }
  if (atMost !== undefined && turn === 'price drop') {
    fault(
      ['atMost'],
      'a price drop is for everybody who watches: nothing of it runs out.',
      'Take it out, or start with "low stock".',
    );
  }
  check.did({ did: watchedBy.did, ...(watchedBy.where === undefined ? {} : { where: watchedBy.where }) }, [
    'when',
    'watchedBy',
  ]);
  [watchedBy.did].flat().forEach((name, index) => {
    const fields = Object.hasOwn(vocabulary.events, name) ? vocabulary.events[name] : undefined;
    if (fields === undefined || Object.hasOwn(fields, 'product_id')) return;
    fault(
      ['watchedBy', 'did', ...(Array.isArray(watchedBy.did) ? [index] : [])],
      `"${name}" names no product: it has no product_id.`,
      'Name an event of one product, such as "Product Viewed" or "Back In Stock Requested".',
    );
  });
}

const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5));

function checkBroadcast(when: Broadcast, campaign: Campaign, check: RuleCheck, { settings }: Draft): void {
  if ('at' in when) {
    const day = when.at.slice(0, 10);
    const real = new Date(`${day}T00:00:00Z`);
    if (Number.isNaN(real.getTime()) || real.toISOString().slice(0, 10) !== day) {
      check.fault('campaign.at', ['when', 'at'], `"${day}" does not exist.`, 'Is the day right?');
      return;
    }
  }
  const key = 'at' in when ? 'at' : 'every';
  const clock = ('at' in when ? when.at : when.every).slice(-5);
  checkQuiet(clock, key, campaign, check, settings.quietHours, when.clock === 'contact');
}

/** A time of the day at which nothing is sent. */
function checkQuiet(
  clock: string,
  key: string,
  { quiet, kind, steps, expires }: Campaign,
  check: RuleCheck,
  night: Draft['settings']['quietHours'],
  own: boolean,
): void {
  const first = steps[0] as Campaign['steps'][number];
  if (night === undefined || !own || quiet === 'ignore' || kind === 'service') return;
  if (!('send' in first) || first.quiet === 'ignore') return;
  const [at, from, to] = [clock, night.from, night.to].map(minutesOf) as [number, number, number];
  const inside = from <= to ? at >= from && at < to : at >= from || at < to;
  if (!inside) return;
  const left = (to - at + 1440) % 1440;
  const gone = expires !== undefined && durationMs(expires) < left * 60_000;
  check.warn(
    'campaign.quiet',
    ['when', key],
    gone
      ? `${clock} is in the quiet hours, and what waits until ${night.to} has expired by then: nothing is ever sent.`
      : `${clock} is in the quiet hours: it goes out at ${night.to}.`,
    `Choose a time from ${night.to} on, or write "quiet": "ignore".`,
  );
}
