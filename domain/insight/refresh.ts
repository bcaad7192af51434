// The nightly models: fitted anew, held against the last good ones, and each part kept as it was where nothing has moved.
import { unitsPerMajor } from '../money.ts';
import { type Customer, dateOfDay } from './customer.ts';
import type { CustomerTable } from './customer-table.ts';
import { decileCuts, marginShare } from './lifetime.ts';
import {
  type Groups,
  MODEL_PARTS,
  type ModelNote,
  type ModelPart,
  type Models,
  type NextProducts,
  type PurchaseModel,
  type RfmCuts,
  type SpendModel,
} from './models.ts';
import { alive, expectedOrders, expectedSpend } from './predict.ts';
import { type Fitted, fitPurchases, logLikelihoodOf, type PurchaseRows, purchaseRows, type Said } from './purchases.ts';
import { rfmCuts } from './rfm.ts';
import { fitSpend, spendRows } from './spend.ts';

/** By how much the same customers' predictions may move in one night; in several, as often as much. */
export const MOST_A_NIGHT = {
  /** P(alive), as a difference. */
  alive: 0.1,
  /** Orders to come, and what is spent at one, as a share of what they were. */
  orders: 0.25,
  spend: 0.25,
  /** The margin's share of revenue, as a difference. */
  margin: 0.1,
  /** Customers that are not there any more, as a share of those that were: more than that is a lake with a hole. */
  fewer: 0.2,
};
/** What moves by less than this is as it was: nobody is decided over anew for it. */
export const MOVED = { alive: 0.005, orders: 0.01, spend: 0.01, margin: 0.005, cuts: 0.01 };
/** By so much, in units of the log-likelihood, a fit may be worse than the last model before it counts as failed. */
const WORSE = 2;

/** What one night has found. */
export interface Found {
  customers: CustomerTable;
  /** A part, or why there is none; absent where it was not looked for: then it stays as it was. */
  next?: NextProducts | Said;
  groups?: Groups | Said;
}

/** The models that stand, and of each part the last day to whose orders it was fitted, or found to fit still. */
export interface Last {
  models: Models;
  good: Partial<Record<ModelPart, number>>;
}

export interface Refreshed {
  /** The models that are to stand: the last ones themselves where no part has moved. */
  models: Models;
  /** Parts that are new, gone, or other ones than they were. */
  moved: ModelPart[];
  notes: ModelNote[];
  good: Partial<Record<ModelPart, number>>;
}

type Candidate<T> = { part: T; replaced?: Said } | Said;

/**
 * The models of a night, from all customers as of the end of `today`. Each part is fitted anew and held against the last
 * one: a fit that failed, is worse on the same customers than the last model, or would move predictions by more than a
 * night may (`MOST_A_NIGHT`) leaves the last good part in its place, with a note (`kept`); without one it is `missing`.
 * A part that has not moved (`MOVED`) stays as it was, to the last digit. Pure; never NaN.
 */
export function refreshModels(
  found: Found,
  last: Last | undefined,
  { today, at, currency }: { today: number; at: number; currency: string },
): Refreshed {
  const { customers } = found;
  // Money in another currency than the shop's present one says nothing.
  const before = last?.models.currency === currency ? last : undefined;
  const notes: ModelNote[] = [];
  const good: Refreshed['good'] = {};
  const moved: ModelPart[] = [];
  const models: Models = {
    shape: 1,
    at,
    today,
    currency,
    customers: customers.size,
    orders: customers.orders,
    notes: [],
  };

  const nights = (part: ModelPart): number =>
    Math.max(1, today - (before?.good[part] ?? before?.models[part]?.asOf ?? today));
  /** Takes a part of this night, or the one before; says why. */
  const settle = <P extends ModelPart, T extends object>(
    part: P,
    candidate: Candidate<T> | undefined,
    {
      refuses,
      moves,
    }: { refuses?: (was: T, is: T, nights: number) => Said | undefined; moves: (was: T, is: T) => boolean },
  ): void => {
    const was = before?.models[part] as (T & { asOf: number }) | undefined;
    const keep = (): void => {
      if (was === undefined) return;
      Object.assign(models, { [part]: was });
      const until = before?.good[part];
      if (until !== undefined) good[part] = until;
    };
    if (candidate === undefined) {
      keep();
      return;
    }
    const fitted = 'part' in candidate;
    const refused = !fitted ? candidate : was === undefined ? undefined : refuses?.(was, candidate.part, nights(part));
    if (refused !== undefined) {
      const { code, says } = refused;
      if (was === undefined) notes.push({ part, kind: 'missing', code, says });
      else
        notes.push({
          part,
          kind: 'kept',
          code,
          says: `${says} The one of ${dateOfDay(good[part] ?? before?.good[part] ?? was.asOf)} stays.`,
        });
      keep();
      return;
    }
    const { part: is, replaced } = candidate as { part: T; replaced?: Said };
    if (replaced !== undefined) notes.push({ part, kind: 'replaced', ...replaced });
    good[part] = today;
    if (was !== undefined && !moves(was, is)) {
      Object.assign(models, { [part]: was });
      return;
    }
    Object.assign(models, { [part]: { ...is, asOf: today } });
    moved.push(part);
  };

  const hole = holeIn(customers.size, before, today);
  if (hole !== undefined && before !== undefined) {
    for (const part of MODEL_PARTS) {
      if (before.models[part] !== undefined) {
        notes.push({ part, kind: 'kept', ...hole });
      }
    }
    return { models: before.models, moved: [], notes, good: before.good };
  }

  const rows = purchaseRows(customers, today);
  settle('rfm', candidateOf(rfmCuts(customers, today), NOBODY), { moves: cutsMove });
  settle<'purchases', PurchaseModel>('purchases', fittedOf(fitPurchases(rows)), {
    refuses: (was, is, over) => worse(was, is, rows) ?? purchasesDrift(was, is, over),
    moves: (was, is) => {
      const { points, share } = apart(was, is);
      return was.kind !== is.kind || points >= MOVED.alive || share >= MOVED.orders;
    },
  });
  const perMajor = unitsPerMajor(currency);
  settle<'spend', SpendModel>('spend', fittedOf(fitSpend(spendRows(customers, today, perMajor))), {
    refuses: spendDrift,
    moves: (was, is) => spentApart(was, is) >= MOVED.spend,
  });
  const share = marginShare(customers);
  settle('margin', candidateOf(share === undefined ? undefined : { share }, NO_MARGINS), {
    refuses: marginDrift,
    moves: (was, is) => Math.abs(was.share - is.share) >= MOVED.margin,
  });
  const cuts = decileCuts(models, customers, today);
  settle('deciles', candidateOf(cuts === undefined ? undefined : { cuts }, NO_VALUES), {
    moves: (was, is) => was.cuts.some((cut, i) => farFrom(cut, is.cuts[i] ?? 0)),
  });
  settle<'next', NextProducts>('next', asCandidate(found.next), { moves: (was, is) => firstOf(was) !== firstOf(is) });
  settle<'groups', Groups>('groups', asCandidate(found.groups), { moves: groupsMove });

  for (const part of MODEL_PARTS) {
    if (last?.models[part] !== undefined && models[part] === undefined) moved.push(part);
  }
  models.notes = notes;
  if (last !== undefined && moved.length === 0) return { models: last.models, moved, notes, good };
  return { models, moved, notes, good };
}

const NOBODY: Said = { code: 'no-orders', says: 'No customer has an order.' };
const NO_MARGINS: Said = { code: 'no-margins', says: 'Of no order is the margin known.' };
const NO_VALUES: Said = {
  code: 'no-values',
  says: 'No lifetime value is known: it needs margins, and models of how people buy and what they spend.',
};

const candidateOf = <T>(part: T | undefined, otherwise: Said): Candidate<T> =>
  part === undefined ? otherwise : { part };

function fittedOf<M>(fitted: Fitted<M>): Candidate<M> {
  if (fitted.kind === 'missing') return { code: fitted.code, says: fitted.says };
  return { part: fitted.model, ...(fitted.replaced && { replaced: fitted.replaced }) };
}

const asCandidate = <T extends object>(found: T | Said | undefined): Candidate<T> | undefined =>
  found === undefined || isSaid(found) ? found : { part: found };

const isSaid = (found: object): found is Said => 'code' in found && 'says' in found;

/** Why the customers cannot be all of them. */
function holeIn(customers: number, before: Last | undefined, today: number): Said | undefined {
  if (before === undefined || before.models.customers === 0) return undefined;
  const days = Object.values(before.good);
  const nights = Math.max(1, today - Math.max(before.models.today, ...days));
  const gone = 1 - customers / before.models.customers;
  if (gone <= MOST_A_NIGHT.fewer * nights) return undefined;
  return {
    code: 'fewer-customers',
    says: `The lake tells of ${customers} customers, where there were ${before.models.customers}: it seems to have a hole.`,
  };
}

/** Customers of whom predictions are compared: bought on so many days more, the last at a share of their age. */
const GRID: { customer: Customer; today: number }[] = [60, 120, 240, 480].flatMap((age) =>
  [1, 2, 4, 8].flatMap((x) =>
    [0.25, 0.5, 0.75, 1].map((share) => ({
      today: age,
      customer: {
        days: 1 + x,
        first: 0,
        last: Math.round(age * share),
        orders: 1 + x,
        revenue: 0,
        firstRevenue: 0,
        margin: 0,
        valued: 0,
      },
    })),
  ),
);

/** By how much two models differ at most over the same customers: P(alive), and orders of a year as a share. */
function apart(was: PurchaseModel, is: PurchaseModel): { points: number; share: number } {
  let [points, share] = [0, 0];
  for (const { customer, today } of GRID) {
    points = Math.max(points, Math.abs(alive(was, customer, today) - alive(is, customer, today)));
    const [before, now] = [expectedOrders(was, customer, today, 365), expectedOrders(is, customer, today, 365)];
    // Of a customer from whom next to nothing is to be expected, a share says nothing.
    share = Math.max(share, Math.abs(now - before) / Math.max(before, 0.1));
  }
  return { points, share };
}

function purchasesDrift(was: PurchaseModel, is: PurchaseModel, nights: number): Said | undefined {
  const { points, share } = apart(was, is);
  const [mostPoints, mostShare] = [MOST_A_NIGHT.alive * nights, MOST_A_NIGHT.orders * nights];
  if (points > mostPoints) {
    return {
      code: 'drift',
      says: `P(alive) of the same customers would move by ${percentOf(points)} points; ${sayNights(nights)} may bring ${percentOf(mostPoints)}.`,
    };
  }
  if (share > mostShare) {
    return {
      code: 'drift',
      says: `The orders to come of the same customers would move by ${percentOf(share)} %; ${sayNights(nights)} may bring ${percentOf(mostShare)} %.`,
    };
  }
  return undefined;
}

/** A maximum that the last model surpasses on the same customers is none. */
export function worse(was: PurchaseModel, is: PurchaseModel, rows: PurchaseRows): Said | undefined {
  const last = logLikelihoodOf(was, rows);
  if (!(last > is.logLikelihood + WORSE)) return undefined;
  return {
    code: 'worse',
    says: `The last model fits these customers better than the new one (log-likelihood ${last.toFixed(2)}, not ${is.logLikelihood.toFixed(2)}).`,
  };
}

/** By how much two models differ at most in what is spent on a day, as a share, over customers from frugal to lavish. */
function spentApart(was: SpendModel, is: SpendModel): number {
  const typical = (was.p * was.v) / Math.max(was.q - 1, 0.1);
  let most = 0;
  for (const x of [0, 1, 3, 8]) {
    for (const times of [0.3, 1, 3]) {
      const customer = {
        days: 1 + x,
        first: 0,
        last: x,
        orders: 1 + x,
        revenue: times * typical * x,
        firstRevenue: 0,
        margin: 0,
        valued: 0,
      };
      const [before, now] = [expectedSpend(was, customer, 1), expectedSpend(is, customer, 1)];
      most = Math.max(most, Math.abs(now - before) / Math.max(before, Number.MIN_VALUE));
    }
  }
  return most;
}

function spendDrift(was: SpendModel, is: SpendModel, nights: number): Said | undefined {
  const share = spentApart(was, is);
  if (share <= MOST_A_NIGHT.spend * nights) return undefined;
  return {
    code: 'drift',
    says: `What the same customers spend on a day would move by ${percentOf(share)} %; ${sayNights(nights)} may bring ${percentOf(MOST_A_NIGHT.spend * nights)} %.`,
  };
}

function marginDrift(was: { share: number }, is: { share: number }, nights: number): Said | undefined {
  if (Math.abs(was.share - is.share) <= MOST_A_NIGHT.margin * nights) return undefined;
  return {
    code: 'drift',
    says: `The margin would be ${percentOf(is.share)} % of revenue, and was ${percentOf(was.share)} %; ${sayNights(nights)} may bring ${percentOf(MOST_A_NIGHT.margin * nights)} points.`,
  };
}

const farFrom = (was: number, is: number): boolean => Math.abs(is - was) > MOVED.cuts * Math.abs(was);

function cutsMove(was: RfmCuts, is: RfmCuts): boolean {
  return (['recency', 'frequency', 'money'] as const).some((name) =>
    was[name].some((cut, i) => farFrom(cut, is[name][i] ?? 0)),
  );
}

/** The first three of each list, which are what people see. */
function firstOf({ together, after, upgrades, popular }: NextProducts): string {
  const heads = (lists: NextProducts['together']) =>
    Object.keys(lists)
      .sort()
      .map((product) => [product, (lists[product] ?? []).slice(0, 3).map((one) => one.product)]);
  const first = Object.keys(popular)
    .sort()
    .map((category) => [category, (popular[category] ?? []).slice(0, 3)]);
  return JSON.stringify([heads(together), heads(after), heads(upgrades), first]);
}

function groupsMove(was: Groups, is: Groups): boolean {
  if (was.features.length !== is.features.length || was.groups.length !== is.groups.length) return true;
  return was.groups.some(({ id, title, centre }, i) => {
    const other = is.groups[i];
    return (
      other?.id !== id || other.title !== title || centre.some((at, j) => Math.abs(at - (other.centre[j] ?? 0)) > 0.05)
    );
  });
}

const percentOf = (share: number): string => String(Math.round(share * 100));
const sayNights = (nights: number): string => (nights === 1 ? 'one night' : `${nights} nights`);

/** The models in a line: what they were fitted to, and what is to be said of them. */
export function sayModels({
  today,
  customers,
  orders,
  notes,
}: Pick<Models, 'today' | 'customers' | 'orders' | 'notes'>): string {
  const of = `fitted to ${orders} orders of ${customers} customers up to ${dateOfDay(today)}`;
  return [of, ...notes.map(({ part, kind, says }) => `${part} ${kind}: ${says}`)].join('; ');
}
