// Which variant of a test is better: a comparison of proportions that says "none" where the figures do not tell.

/** What is known of one variant: how many people got it, and how many of them did what decides. */
export interface Tried {
  variant: string;
  people: number;
  events: number;
}

export type Verdict = { tried: Tried[] } & (
  | { winner: string; p: number }
  /** `p`: of the comparison that was least clear; absent where none was made. */
  | { winner: null; reason: 'too few people' | 'too few events' | 'no clear difference'; p?: number }
);

/** The share of tests of equal variants in which one is called the winner, at most. */
export const LEVEL = 0.05;
/** Below these figures the normal approximation says nothing. */
export const LEAST_PEOPLE = 50;
export const LEAST_EVENTS = 20;
/** Expected in each cell of the table, as Cochran asks: "Some methods for strengthening the common χ² tests", 1954. */
const LEAST_EXPECTED = 5;

/**
 * The winner: the variant with the greatest share, where it is clearly better than each of the others. Each pair is
 * compared by the two-sided z-test of two proportions with the pooled variance (Fleiss, Levin and Paik, "Statistical
 * Methods for Rates and Proportions", 3rd edition, 2003, chapter 3); of more than two variants the p-values are adjusted
 * by Holm ("A simple sequentially rejective multiple test procedure", 1979). It is asked once, when the test is over:
 * whoever asks again and again finds a difference at last.
 */
export function decideTest(variants: Tried[]): Verdict {
  const share = ({ people, events }: Tried): number => (people === 0 ? 0 : events / people);
  const tried = [...variants].sort((a, b) => share(b) - share(a) || (a.variant < b.variant ? -1 : 1));
  const [best, ...others] = tried;
  if (best === undefined || others.length === 0) return { tried, winner: null, reason: 'too few people' };
  if (tried.some(({ people }) => people < LEAST_PEOPLE)) return { tried, winner: null, reason: 'too few people' };
  const events = tried.reduce((sum, one) => sum + one.events, 0);
  if (events < LEAST_EVENTS || others.some((other) => expected(best, other) < LEAST_EXPECTED)) {
    return { tried, winner: null, reason: 'too few events' };
  }
  const p = Math.max(...holm(others.map((other) => equalityOf(best, other))));
  return p < LEVEL ? { tried, winner: best.variant, p } : { tried, winner: null, reason: 'no clear difference', p };
}

/** The smallest figure that is expected in the table of two variants if both are the same. */
function expected(a: Tried, b: Tried): number {
  const pooled = (a.events + b.events) / (a.people + b.people);
  return Math.min(a.people, b.people) * Math.min(pooled, 1 - pooled);
}

/** How often two equal variants differ as much as these, by chance: the two-sided p-value. */
export function equalityOf(a: Tried, b: Tried): number {
  const pooled = (a.events + b.events) / (a.people + b.people);
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / a.people + 1 / b.people));
  if (deviation === 0) return 1;
  const z = (a.events / a.people - b.events / b.people) / deviation;
  return complementaryError(Math.abs(z) / Math.SQRT2);
}

/** Holm's adjustment: the p-values in the order given, each as it counts among all of them. */
export function holm(values: number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] as number) - (values[b] as number));
  const adjusted = new Array<number>(values.length);
  let least = 0;
  order.forEach((index, rank) => {
    least = Math.max(least, Math.min(1, (values[index] as number) * (values.length - rank)));
    adjusted[index] = least;
  });
  return adjusted;
}

/** 1 − erf(x) for x ≥ 0, to 1.5 × 10⁻⁷: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26. */
function complementaryError(x: number): number {
  const t = 1 / (1 + 0.3275911 * x);
  const [a1, a2, a3, a4, a5] = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
  return ((((a5 * t + a4) * t + a3) * t + a2) * t + a1) * t * Math.exp(-x * x);
}
