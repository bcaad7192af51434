// A campaign in words: what starts it, what its steps do, within which limits, and where a run of it stands.
import type { Campaign, Send, Step, Test, Wait, When } from './campaign-grammar.ts';
import { branchesOf, eachStep, isBroadcast } from './campaign-parts.ts';
import type { Comparison, Where } from './grammar.ts';
import { compare, sayClause, sayPast, sayPresent, sayValue, sayWhere } from './say-rule.ts';
import { listed, sayName, span } from './words.ts';

/** `1 day`, `60 days`. */
const length = (duration: string): string => (/^1\D/.test(duration) ? `1 ${span(duration)}` : span(duration));
const percent = (number: number): string => `${number} %`;
const value = (said: unknown): string =>
  typeof said === 'string' && !said.startsWith('@') ? `“${said}”` : sayValue(said);
const oneOf = (values: unknown): string => listed([values].flat().map(value));

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** "2026-11-27" → "27 November 2026". */
export function sayDay(date: string): string {
  const [year = '', month = '', day = ''] = date.split('-');
  return `${Number(day)} ${MONTHS[Number(month) - 1] ?? month} ${year}`;
}

const ordinal = (day: number): string => {
  const teens = day > 10 && day < 14;
  return `${day}${teens ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th')}`;
};
const capital = (word: string): string => `${word.charAt(0).toUpperCase()}${word.slice(1)}`;

// ── what starts it ──

/** What starts a campaign, to be read after "starts": "when somebody enters vip", "every Tuesday at 10:00 where each contact lives". */
export function sayWhen(when: When): string {
  if ('did' in when) {
    const { did, where, each, ...measure } = when;
    if (Object.keys(measure).length > 0) return `as soon as somebody ${sayClause(when)}`;
    const act = sayPresent({ did, where });
    return `when somebody ${act}${each === undefined ? '' : ', once for each product'}`;
  }
  if ('enters' in when) {
    const also = when.alsoThoseInside;
    const inside = also === undefined ? '' : `, and for those who are in it already, ${also.perDay} a day`;
    return `when somebody enters ${when.enters}${inside}`;
  }
  if ('leaves' in when) return `when somebody leaves ${when.leaves}`;
  if ('changes' in when) {
    const from = when.from === undefined ? '' : ` from ${oneOf(when.from)}`;
    return `when ${sayName(when.changes)} changes${from}${when.to === undefined ? '' : ` to ${oneOf(when.to)}`}`;
  }
  if ('date' in when) {
    const day =
      when.before === undefined ? `on ${sayName(when.date)}` : `${length(when.before)} before ${sayName(when.date)}`;
    return `${day}, ${when.once ? 'once' : 'each year'}, at ${when.at ?? '09:00'} where the contact lives`;
  }
  if ('due' in when) {
    const which = when.where === undefined ? '' : ` (${sayWhere(when.where)})`;
    const before = when.before === undefined ? 'when' : `${length(when.before)} before`;
    return `${before} what somebody bought runs out${which}`;
  }
  if ('product' in when) return sayTurn(when);
  const place = when.clock === 'contact' ? 'where each contact lives' : 'by the clock of the shop';
  if ('at' in when) {
    const [date = '', clock = ''] = when.at.split(' ');
    return `on ${sayDay(date)} at ${clock} ${place}`;
  }
  const [, first = '', second, clock = ''] = /^(\S+)(?: (\d+))? (\S+)$/.exec(when.every) ?? [];
  const days =
    second !== undefined
      ? `on the ${ordinal(Number(second))} of each month`
      : `every ${first === 'day' ? 'day' : capital(first)}`;
  return `${days} at ${clock} ${place}`;
}

function sayTurn({ product, by, watchedBy, oldestFirst, atMost }: Extract<When, { watchedBy: unknown }>): string {
  const turn =
    product === 'back in stock'
      ? 'when a product is back in stock'
      : product === 'price drop'
        ? `when the price of a product falls${by !== undefined && 'atLeast' in by ? ` by at least ${by.atLeast.replace('%', ' %')}` : ''}`
        : `when ${by !== undefined && 'atMost' in by ? `at most ${by.atMost}` : 'few'} of a product are left`;
  const watched = sayPast(watchedBy).replaceAll('a product', 'it');
  const order = oldestFirst ? '; who was first is told first' : '';
  return `${turn}, for those who ${watched} in the last ${span(watchedBy.inLast)}${order}${atMost === undefined ? '' : `; at most ${atMost}`}`;
}

// ── what its steps do ──

/** A step in words, and below it its branches under their names. */
export interface SaidStep {
  /** Its path, as decisions and messages name it: "2.then.0". */
  path: string;
  words: string;
  branches: { name: string; words: string; steps: SaidStep[] }[];
}

/** The steps of a campaign in words, as a tree. */
export function saySteps(steps: Step[], within = ''): SaidStep[] {
  return steps.map((step, place) => {
    const path = `${within}${place}`;
    const branches = branchesOf(step).map(([name, inner]) => ({
      name,
      words: sayBranch(step, name),
      steps: saySteps(inner, `${path}.${name}.`),
    }));
    return { path, words: sayStep(step), branches };
  });
}

function sayBranch(step: Step, name: string): string {
  if ('split' in step) return `${name} (${percent(step.split[name] ?? 0)})`;
  if ('waitFor' in step) return name === 'then' ? 'as soon as that is so' : `after ${length(step.upTo)} without it`;
  return name === 'then' ? 'if so' : 'if not';
}

/** What one step does, its branches apart. */
export function sayStep(step: Step): string {
  if ('wait' in step) return sayWait(step.wait);
  if ('send' in step) return saySend(step);
  if ('waitFor' in step) return `waits up to ${length(step.upTo)} until: ${sayClause(step.waitFor)}`;
  if ('if' in step) return `asks: ${sayClause(step.if)}?`;
  if ('split' in step) {
    return `draws lots: ${listed(
      Object.entries(step.split).map(([name, weight]) => `${percent(weight)} ${name}`),
      'and',
    )}`;
  }
  if ('set' in step) return `sets ${sayPairs(step.set, ' to ')}`;
  if ('notify' in step) {
    return `tells others “${step.notify}”${step.with === undefined ? '' : `, with ${sayPairs(step.with, ' ')}`}`;
  }
  if ('rest' in step) return `lets ${step.rest} rest until the person ${sayPast(step.until)}: ${step.why}`;
  return `stops: ${step.stop}`;
}

const sayPairs = (pairs: Record<string, unknown>, joint: string): string =>
  listed(
    Object.entries(pairs).map(([name, said]) => `${sayName(name)}${joint}${value(said)}`),
    'and',
  );

function sayWait(wait: Wait): string {
  if (typeof wait !== 'string') return `waits until ${capital(wait.until)} where the contact lives`;
  return wait.startsWith('@')
    ? 'waits until it is time to replace the product (“replaceAfter”)'
    : `waits ${length(wait)}`;
}

function saySend({ send, coupon, needs, unless, variants, test, quiet }: Send): string {
  const said = [`sends ${send}`];
  if (coupon !== undefined) said.push(` with a code of ${coupon}`);
  if (variants !== undefined) {
    said.push(`, as ${listed(Object.entries(variants).map(([name, weight]) => `${name} (${percent(weight)})`))}`);
  }
  if (test !== undefined) said.push(`; ${sayTest(test)}`);
  if (needs !== undefined) said.push(`; only ${sayNeeds(needs)}`);
  if (unless !== undefined) said.push(`; unless: ${sayClause(unless)}`);
  if (quiet !== undefined) said.push('; in quiet hours too');
  return said.join('');
}

function sayTest({ variants, share, for: lasts, winner }: Test): string {
  const by = winner === 'clicked' ? 'clicks' : 'conversions';
  return `${listed(variants, 'and')} are tried with ${percent(share)} of the people for ${length(lasts)}, the rest gets the winner by ${by}`;
}

/** What a message needs: "with at least 2 recommendations and with the product in stock". */
function sayNeeds(needs: Where): string {
  return listed(
    Object.entries(needs).map(([name, wanted]) => {
      if (name === 'recommendations') {
        const many = compare(wanted as Comparison, false).replace(/^is /, '');
        return `with ${many} recommendation${/(^| )1$/.test(many) ? '' : 's'}`;
      }
      if (name === 'product.inStock' && typeof wanted === 'boolean') {
        return `${wanted ? 'with' : 'without'} the product in stock`;
      }
      return `where ${sayWhere({ [name]: wanted }).replace(/ known$/, ' is known')}`;
    }),
    'and',
  );
}

// ── its limits ──

/** Whom a campaign is for, what ends it, and within which limits it goes: what it says, each in words. */
export function sayLimits(campaign: Campaign): [name: string, words: string][] {
  const { when, for: meant, stopIf, restartOn, success } = campaign;
  const found: [string, string | undefined][] = [
    ['to', isBroadcast(when) ? sayClause(when.to) : undefined],
    ['for', meant === undefined ? undefined : sayClause(meant)],
    ['stops if', stopIf === undefined ? undefined : sayClause(stopIf)],
    ['waits anew', restartOn === undefined ? undefined : `when the person ${sayPresent(restartOn)}`],
    ['again', sayAgain(campaign.again)],
    ['trigger', campaign.triggerAge === undefined ? undefined : `at most ${length(campaign.triggerAge)} old`],
    ['held out', campaign.holdout ? `${percent(campaign.holdout)} of the people, drawn at entry` : undefined],
    ['priority', campaign.priority === undefined ? undefined : `${campaign.priority} of 100`],
    ['if capped', campaign.ifCapped === undefined ? undefined : sayCapped(campaign.ifCapped)],
    ['quiet hours', campaign.quiet === undefined ? undefined : 'sent in them too'],
    ['expires', campaign.expires === undefined ? undefined : `${length(campaign.expires)} after its planned time`],
    ['success', success === undefined ? undefined : saySuccess(success)],
    ['new version', campaign.onNewVersion === undefined ? undefined : VERSIONS[campaign.onNewVersion]],
    ['from', campaign.starts === undefined ? undefined : sayDay(campaign.starts)],
    ['until', campaign.ends === undefined ? undefined : sayDay(campaign.ends)],
    ['planned', campaign.plannedPerDay === undefined ? undefined : `about ${campaign.plannedPerDay} messages a day`],
  ];
  return found.flatMap(([name, words]) => (words === undefined ? [] : [[name, words] as [string, string]]));
}

const VERSIONS = {
  finish: 'runs under way finish in the version that they began with',
  move: 'runs under way move to it',
  stop: 'runs under way stop',
};

function sayAgain(again: string): string {
  if (again === 'never') return 'never: once in a life';
  return again.startsWith('after ') ? `${length(again.slice('after '.length))} after the start of the last run` : again;
}

const sayCapped = (said: string): string =>
  said === 'skip' ? 'the message is skipped' : `the message waits up to ${length(said.slice('wait '.length))}`;

function saySuccess({ did, where, within, value: worth }: NonNullable<Campaign['success']>): string {
  const counted = worth === undefined ? '' : `, counted by ${worth}`;
  return `the person ${sayPast({ did, where })} within ${length(within)}${counted}`;
}

// ── where a run stands ──

/** The step at a path: "2.then.0"; undefined where the campaign has none there. */
export function stepAt({ steps }: Campaign, path: string): Step | undefined {
  return eachStep(steps).find((each) => each.path.join('.') === path)?.step;
}

/** "step 3", "step 3, then 1": people count from one. */
export function sayPlace(path: string): string {
  const words = path.split('.').map((part) => (/^\d+$/.test(part) ? `${Number(part) + 1}` : `, ${part} `));
  return `step ${words.join('')}`;
}
