// Budgets of a campaign: how many complaints, hard bounces and leavings are too many, how many messages a day, and when we know.

/** What reports count of a campaign on one day, at one provider or over all. A message counts on the day it was planned for. */
export interface Counts {
  /** Messages made, whatever became of them. */
  made: number;
  delivered: number;
  softBounced: number;
  /** Hard bounces. */
  bounced: number;
  /** Also delivered, once. */
  complained: number;
  /** Withdrawals by a link of the mail; the message stands among the delivered or complained ones besides. */
  unsubscribed: number;
}
/** Over all providers, also of messages whose provider is not known. */
export const ALL = 'all';
/** Day (`YYYY-MM-DD`, UTC) → provider or `all` → counts. */
export type Counted = Record<string, Record<string, Counts>>;

export type What = 'complaints' | 'bounces' | 'unsubscribes';

/**
 * The shares that are too many. 0.1 % complaints is what Gmail and Yahoo ask senders to stay below (0.3 % is refused);
 * 2 % hard bounces is well below the 5 % at which SES puts an account under review. Unsubscribes stand in for
 * complaints where a provider reports none. 2 % of them is our choice, not a rule of anybody: published averages are
 * 0.1 to 0.3 % a mail, guides call 0.5 to 1 % high and 2 % critical, and a reminder to people who have been quiet for
 * long may honestly reach 1 %. As with complaints, the limit is about ten times what is usual.
 */
export const LIMITS: Readonly<Record<What, number>> = { complaints: 0.001, bounces: 0.02, unsubscribes: 0.02 };

/** Providers that tell senders of no complaint: Gmail shows a share by day on a page of its own, Apple nothing. */
export const SILENT: ReadonlySet<string> = new Set(['gmail', 'apple']);

/** Fewer cases prove nothing, however few the messages. */
export const LEAST_CASES = 3;

/** Days in which cases are counted, today (UTC) the last of them. */
export const WINDOWS = [1, 7, 30] as const;

/**
 * The interval leaves this share out, half of it below. It is so small because the question is asked each minute, over
 * three windows, and of every provider: with the usual 5 % nearly every campaign at the limit, and many at half of it,
 * would be paused within a month for nothing. Simulated over 30 days of looks after every single message, five
 * providers, 200 to 5,000 messages a day: at half the limit at most 0.8 % of campaigns are paused (at 5 %: up to 70 %),
 * exactly at the limit 0.3 to 8 % for complaints and 7 to 28 % for hard bounces (100 %). A campaign of which 1 %
 * complain is paused after 690 messages (median; nine in ten before 1,670), one that bounces at 10 % after 80; at 5 %
 * it would be 415 and 27. What the counts say late, as complaints do, comes on top.
 */
export const ALPHA = 0.0002;

/** A day may bring so many times what is planned. */
export const MOST_TIMES_PLANNED = 3;
/** Without a plan the busiest of so many days before stands in, once so many of them are known. */
const DAYS_BEFORE = 28;
const LEAST_DAYS_KNOWN = 7;
/** Without a plan, a day with no more than this is never too much. */
const LEAST_WITHOUT_PLAN = 100;

/** Days of reports that all this looks at: those of the longest window, and one for the volume of the day before. */
export const DAYS_READ = 31;

/** Cases among messages, at a provider or over all, in a window. */
export interface Measure {
  what: What;
  provider: string;
  days: number;
  cases: number;
  messages: number;
  limit: number;
  over: boolean;
}

/** Too many messages in a day. */
export interface Excess {
  day: string;
  made: number;
  /** The day may bring so many. */
  most: number;
  /** What `most` is derived from: the plan, or the busiest day before. */
  from: 'plan' | 'busiest day';
}

export type Verdict =
  | { kind: 'fine' }
  | { kind: 'pause'; cause: 'budget'; why: string; measure: Measure }
  | { kind: 'pause'; cause: 'volume'; why: string; excess: Excess };

/** The UTC day of an instant, so many days later (or earlier). */
export function dayOf(instant: number, later = 0): string {
  return new Date(instant + later * 86_400_000).toISOString().slice(0, 10);
}

const NOTHING: Counts = { made: 0, delivered: 0, softBounced: 0, bounced: 0, complained: 0, unsubscribed: 0 };

/** Counts of a day and provider, nothing where there are none. */
export function countsOf(counted: Counted, day: string, provider: string): Counts {
  return counted[day]?.[provider] ?? NOTHING;
}

/**
 * Everything that budgets ask of a campaign at an instant. `base`: what stood there when somebody let it go on: its
 * cases are not counted again. Its messages stay counted, since cases of theirs may come yet; so a campaign that was
 * let go on may have as many cases more as its messages of the window allow.
 *
 * Complaints are a share of delivered messages (over all: without providers that report none), hard bounces of those
 * whose outcome is known, unsubscribes of delivered ones, at providers that report no complaints.
 */
export function measures(counted: Counted, base: Counted, now: number): Measure[] {
  const providers = new Set(Object.values(counted).flatMap((day) => Object.keys(day)));
  // All of them last: where it says no more than one of them, that one is named.
  const ordered = [...providers].filter((each) => each !== ALL).sort();
  if (providers.has(ALL)) ordered.push(ALL);
  return WINDOWS.flatMap((days) => {
    const window = Array.from({ length: days }, (_, back) => dayOf(now, -back));
    const sum = (of: Counted, provider: string, name: keyof Counts): number =>
      window.reduce((total, day) => total + countsOf(of, day, provider)[name], 0);
    const reached = (provider: string): number =>
      sum(counted, provider, 'delivered') + sum(counted, provider, 'complained');
    const silent = [...SILENT].reduce((total, provider) => total + sum(counted, provider, 'delivered'), 0);
    return ordered.flatMap((provider) => {
      const measure = (what: What, name: 'complained' | 'bounced' | 'unsubscribed', of: number): Measure => {
        const cases = Math.max(0, sum(counted, provider, name) - sum(base, provider, name));
        const messages = Math.max(cases, of);
        const limit = LIMITS[what];
        return { what, provider, days, cases, messages, limit, over: isOver(cases, messages, limit) };
      };
      const known = reached(provider) + sum(counted, provider, 'softBounced') + sum(counted, provider, 'bounced');
      const bounces = measure('bounces', 'bounced', known);
      return SILENT.has(provider)
        ? [bounces, measure('unsubscribes', 'unsubscribed', reached(provider))]
        : [measure('complaints', 'complained', reached(provider) - (provider === ALL ? silent : 0)), bounces];
    });
  });
}

/** Whether the interval's lower end passes the limit, and there are enough cases to speak of. */
export function isOver(cases: number, messages: number, limit: number): boolean {
  return cases >= LEAST_CASES && cases > messages * limit && atLeast(cases, messages, limit) < ALPHA / 2;
}

/**
 * More messages than a day may bring, today or the day before (reports may come after midnight). With a plan that is
 * three times the plan; without one three times the busiest of the 28 days before and at least 100, as soon as seven
 * of those days are known to have messages. A message counts on the UTC day that it was planned for.
 */
export function excessOf(counted: Counted, base: Counted, now: number, planned?: number): Excess | undefined {
  for (const back of [0, 1]) {
    const day = dayOf(now, -back);
    const made = countsOf(counted, day, ALL).made - countsOf(base, day, ALL).made;
    const before = Array.from(
      { length: DAYS_BEFORE },
      (_, at) => countsOf(counted, dayOf(now, -back - 1 - at), ALL).made,
    );
    const known = before.filter((count) => count > 0);
    if (planned === undefined && known.length < LEAST_DAYS_KNOWN) continue;
    const most =
      planned === undefined
        ? Math.max(MOST_TIMES_PLANNED * Math.max(...known), LEAST_WITHOUT_PLAN)
        : MOST_TIMES_PLANNED * planned;
    if (made > most) return { day, made, most, from: planned === undefined ? 'busiest day' : 'plan' };
  }
  return undefined;
}

/** What stands of a budget, for people to read. */
export interface Standing extends Measure {
  rate: number;
  lowerEnd: number;
  /** `watch`: the share is over the limit, but the cases are too few to be sure. */
  verdict: 'fine' | 'watch' | 'over';
  says: string;
}

/** Each budget of a campaign, over all and at each provider that has messages, in the window in which it stands worst. */
export function standings(counted: Counted, base: Counted, now: number): Standing[] {
  const worst = new Map<string, Standing>();
  for (const each of measures(counted, base, now)) {
    if (each.messages === 0) continue;
    const rate = each.cases / each.messages;
    const verdict = each.over ? 'over' : each.cases >= LEAST_CASES && rate > each.limit ? 'watch' : 'fine';
    const standing: Standing = {
      ...each,
      rate,
      lowerEnd: lowerEnd(each.cases, each.messages),
      verdict,
      says: `${sayMeasure(each)}: ${WORDS[verdict]}`,
    };
    const known = worst.get(`${each.provider} ${each.what}`);
    const worse =
      known === undefined ||
      standing.lowerEnd > known.lowerEnd ||
      // Windows come shortest first: of two that stand alike the longer one says more, if there is more in it.
      (standing.lowerEnd === known.lowerEnd && standing.messages > known.messages);
    if (worse) worst.set(`${each.provider} ${each.what}`, standing);
  }
  const place = ({ provider, what }: Standing): string => `${provider === ALL ? '' : provider} ${what}`;
  return [...worst.values()].sort((a, b) => (place(a) < place(b) ? -1 : 1));
}

const WORDS = { fine: 'fine', watch: 'over the limit, too few to be sure', over: 'surely over the limit' };

/** Whether a campaign may go on, else the worst that is against it. */
export function verdictOf(counted: Counted, base: Counted, now: number, planned?: number): Verdict {
  const [measure] = measures(counted, base, now)
    .filter(({ over }) => over)
    .map((each) => ({ each, chance: atLeast(each.cases, each.messages, each.limit) }))
    .sort((a, b) => a.chance - b.chance)
    .map(({ each }) => each);
  if (measure !== undefined) return { kind: 'pause', cause: 'budget', why: sayMeasure(measure), measure };
  const excess = excessOf(counted, base, now, planned);
  return excess === undefined ? { kind: 'fine' } : { kind: 'pause', cause: 'volume', why: sayExcess(excess), excess };
}

/** `complaints at yahoo: 7 of 512 in 1 day, at least 0.36 %; limit 0.1 %` */
export function sayMeasure({ what, provider, days, cases, messages, limit }: Measure): string {
  const where = provider === ALL ? 'over all providers' : `at ${provider}`;
  const least = percent(lowerEnd(cases, messages));
  return `${what} ${where}: ${cases} of ${messages} in ${days} day${days === 1 ? '' : 's'}, at least ${least}; limit ${percent(limit)}`;
}

function sayExcess({ day, made, most, from }: Excess): string {
  const times = from === 'plan' ? `${MOST_TIMES_PLANNED} times the plan` : 'what the busiest day before allows';
  return `${VOLUME} ${made} messages made for ${day} (UTC), ${times} is ${most}`;
}

const VOLUME = 'volume:';
/** The cause in the words of a pause. */
export function causeOf(why: string): 'budget' | 'volume' {
  return why.startsWith(VOLUME) ? 'volume' : 'budget';
}

/** A share in per cent, two digits that count. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

/**
 * The lower end of the exact (Clopper–Pearson) interval of a share at the level of `ALPHA`: the share at which so many
 * cases or more would come about with a chance of just `ALPHA / 2`. 0 without cases.
 */
export function lowerEnd(cases: number, messages: number): number {
  if (cases <= 0 || messages <= 0) return 0;
  let low = 0;
  let high = Math.min(1, cases / messages);
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (atLeast(cases, messages, middle) < ALPHA / 2) low = middle;
    else high = middle;
  }
  return low;
}

/** The chance of at least `cases` among `messages` where each is one with the chance `share`. */
export function atLeast(cases: number, messages: number, share: number): number {
  if (cases <= 0) return 1;
  if (cases > messages || share <= 0) return 0;
  if (share >= 1) return 1;
  // From the side on which the terms only fall.
  if (cases > messages * share) return side(cases, messages, share, 1);
  return 1 - side(cases - 1, messages, share, -1);
}

/** The terms of the binomial from one of them on, upwards or downwards, until they add nothing any more. */
function side(from: number, n: number, p: number, direction: 1 | -1): number {
  const odds = p / (1 - p);
  let term = Math.exp(
    logFactorial(n) - logFactorial(from) - logFactorial(n - from) + from * Math.log(p) + (n - from) * Math.log1p(-p),
  );
  let sum = 0;
  for (let k = from; k >= 0 && k <= n; k += direction) {
    sum += term;
    if (term < sum * 1e-17) break;
    term *= direction === 1 ? ((n - k) / (k + 1)) * odds : k / (n - k + 1) / odds;
  }
  return Math.min(1, sum);
}

const SMALL: number[] = [0];
for (let n = 1; n < 32; n++) SMALL.push((SMALL[n - 1] as number) + Math.log(n));

/** ln n!, by Stirling's series where a table would be long: exact to about 15 digits. */
function logFactorial(n: number): number {
  const known = SMALL[n];
  if (known !== undefined) return known;
  const inverse = 1 / n;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)));
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + series;
}
