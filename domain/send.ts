// From a send to a message: who comes first under the caps, the gates, and what is frozen; or the ghost of a held-out run.
import { becauseOf } from './because.ts';
import type { Aim } from './campaign-grammar.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Run } from './contact.ts';
import { bearsCoupon } from './coupon.ts';
import { type Draft, note } from './decision.ts';
import { capFree, gate, productOf, sightOfRun } from './eligibility.ts';
import { cartLines } from './facts.ts';
import { MESSAGE_SHAPE, type Message, messageId } from './message.ts';
import { latestBought, MOST_RECOMMENDED, MOST_SPARE, originsOf, type Recommendation, recommend } from './recommend.ts';
import type { Sight } from './rule-node.ts';
import { type SendInstruction, variantOf, walk } from './run.ts';
import { openWindow, takeBackFromWindows } from './success.ts';
import { durationMs } from './time.ts';

/** A message that is sent at once is due again after this long: a lost hand-off heals itself. */
const HEALING = 300_000;
const MOST_REMEMBERED = 20;

/** A run that stands at a send. */
interface Standing {
  campaign: CompiledCampaign;
  run: Run;
  send: SendInstruction;
}

/** Who comes first: by the campaign's priority, then the older run. */
function inOrder(a: Standing, b: Standing): number {
  return (
    b.campaign.priority - a.campaign.priority ||
    a.run.startedAt - b.run.startedAt ||
    (a.run.id < b.run.id ? -1 : a.run.id > b.run.id ? 1 : 0)
  );
}

/** All runs go on as far as they can; where several come to a send, the first in order plans its message first. */
export function goOn(draft: Draft, sight: Sight): void {
  const { book, contact } = draft;
  const standing: Standing[] = [];
  const stands = (campaign: CompiledCampaign, run: Run): void => {
    const send = walk(draft, campaign, run, sight);
    if (send !== undefined) standing.push({ campaign, run, send });
  };
  for (const run of contact.journey.runs) {
    const campaign = book.version.get(`${run.campaign}@${run.version}`);
    if (campaign !== undefined) stands(campaign, run);
  }
  while (standing.length > 0) {
    if (standing.length > 1) standing.sort(inOrder);
    const { campaign, run, send } = standing.shift() as Standing;
    if (!plan(draft, campaign, run, send, sight)) continue;
    run.at += 1;
    stands(campaign, run);
  }
}

/** Products that the run's trigger is about: its own, the lines of its order, else what was bought last. */
function seedsOf(run: Run, sight: Sight): string[] {
  if (run.product !== undefined) return [run.product];
  const { products, product_id: product } = run.trigger.properties;
  const lines = Array.isArray(products) ? products : [];
  const named = lines.flatMap((line) =>
    line !== null && typeof line === 'object' && !Array.isArray(line)
      ? [String(line.product_id ?? line.sku ?? '')]
      : [],
  );
  if (typeof product === 'string') named.push(product);
  return named.length > 0 ? named : latestBought(sight.contact.facts.bought);
}

const CART_EVENTS: ReadonlySet<string> = new Set(['Checkout Started', 'Product Added', 'Cart Viewed']);
/** Events by which somebody shows that they might buy their product. */
const WANTS: ReadonlySet<string> = new Set([
  'Product Viewed',
  'Product Clicked',
  'Product Added to Wishlist',
  'Back In Stock Requested',
]);

/** What a message offers, as far as that is a product: the run's own, the one that was looked at, or the cart. */
function subjectOf(run: Run, { contact }: Sight): { product: string; quantity?: number }[] {
  if (CART_EVENTS.has(run.trigger.name)) {
    return cartLines(contact.facts).map(([product, { quantity }]) => ({ product, quantity }));
  }
  const product = run.product ?? (WANTS.has(run.trigger.name) ? productOf(run) : undefined);
  return product === undefined ? [] : [{ product }];
}

/** Whether the margin of these products bears the coupon of a send, where it has one. */
function bears({ book }: Draft, { coupon }: SendInstruction, lines: ReturnType<typeof subjectOf>): boolean {
  const { coupons, catalogue, settings } = book.definitions;
  const pool = coupon === undefined ? undefined : coupons?.pools[coupon];
  return pool === undefined || bearsCoupon(pool, lines, catalogue, settings.currency);
}

/** What a message recommends, best first: those that it shows, and spare ones for what is out of stock at the send. */
function offersFor(draft: Draft, run: Run, send: SendInstruction, aim: Aim, sight: Sight): Recommendation[] {
  const { definitions, models } = draft.book;
  const offers = { catalogue: definitions.catalogue, next: models?.models.next };
  const most = MOST_RECOMMENDED + MOST_SPARE;
  return recommend(offers, sight.contact.facts.bought, seedsOf(run, sight), aim, most).filter(({ product }) =>
    bears(draft, send, [{ product }]),
  );
}

/** Bulk: what a walk began for many at once; the person's own request is none. */
function laneOf({ campaign }: CompiledCampaign, { occurrence }: Run): Message['lane'] {
  if (/^(broadcast|inside)\|/.test(occurrence)) return 'bulk';
  return occurrence.startsWith('turn|') && campaign.kind === 'marketing' ? 'bulk' : 'triggered';
}

/**
 * Passes the gates and plans one message; the run then goes on from the planned instant. False where the run stays: a
 * ghost is not left before its time, so that until then the run may stop and the gates may turn, as in the other arm.
 */
function plan(draft: Draft, campaign: CompiledCampaign, run: Run, send: SendInstruction, sight: Sight): boolean {
  const { book, contact, now } = draft;
  const { kind, aim, expires } = campaign.campaign;
  const { step, email, ignoresQuiet, needs, unless } = send;
  const said = { campaign: campaign.id, version: campaign.version, run: run.id, step };
  const isGhost = run.heldOut !== undefined;
  const product = productOf(run);
  run.sent = [...(run.sent ?? []), send.key];
  // The step's own instant counts, however late it is processed.
  const expiresAt = expires === undefined ? undefined : run.from + durationMs(expires);
  const offered = offersFor(draft, run, send, aim, sight);
  const recommendations = offered.slice(0, MOST_RECOMMENDED).map(({ product }) => product);
  if (!bears(draft, send, subjectOf(run, sight))) {
    note(draft, { ...said, kind: 'skip', reason: 'the coupon is worth more than the margin' });
    return true;
  }
  const ask = (sends?: Draft['contact']['journey']['sends']) =>
    gate(book, campaign, sightOfRun(sight, run), {
      ignoresQuiet,
      recommendations,
      ...(needs === undefined ? {} : { needs }),
      ...(unless === undefined ? {} : { unless }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(product === undefined ? {} : { product }),
      ...(isGhost ? { sends: [] } : sends === undefined ? {} : { sends }),
    });
  let answer = ask();
  if (answer.kind === 'skip' && answer.reason === 'frequency-cap') {
    const giving = givingWay(draft, campaign);
    if (giving.size > 0) {
      const others = contact.journey.sends.filter((one) => !giving.has(one.id));
      const then = ask(others);
      if (then.kind === 'send') {
        giveWay(draft, campaign, giving, then.at);
        answer = then;
      }
    }
  }
  if (answer.kind === 'skip') {
    const { reason, winner } = answer;
    note(draft, { ...said, kind: 'skip', reason, ...(winner === undefined ? {} : { winner }) });
    return true;
  }
  const plannedAt = answer.at;
  if (isGhost && plannedAt > now) {
    run.sent = run.sent.filter((key) => key !== send.key);
    run.looksAt = plannedAt;
    return false;
  }
  const message = messageOf(draft, campaign, run, send, sight, { plannedAt, offered, expiresAt });
  draft.messages.push(message);
  run.planned = true;
  if (recommendations.length > 0) {
    run.recommended = [...new Set([...recommendations, ...(run.recommended ?? [])])].slice(0, MOST_REMEMBERED);
  }
  openWindow(draft, campaign, run, message.id, plannedAt, sight);
  const deferred = plannedAt > now;
  if (isGhost) note(draft, { ...said, kind: 'hold out', reason: email });
  else {
    run.pending = [...run.pending, { id: message.id, at: plannedAt }];
    if (kind === 'marketing') {
      const sends = [...contact.journey.sends, { at: plannedAt, id: message.id, campaign: campaign.id }];
      contact.journey.sends = sends.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    }
    note(draft, { ...said, kind: deferred ? 'defer' : 'send', reason: deferred ? 'caps or quiet hours' : email });
  }
  if (deferred) run.wakeAt = plannedAt;
  run.from = plannedAt;
  return true;
}

function messageOf(
  draft: Draft,
  campaign: CompiledCampaign,
  run: Run,
  { key, step, email, ignoresQuiet, ...send }: SendInstruction,
  sight: Sight,
  planned: { plannedAt: number; offered: Recommendation[]; expiresAt: number | undefined },
): Message {
  const { book, contact, now } = draft;
  const { kind, topic, sender } = campaign.campaign;
  const { plannedAt, offered, expiresAt } = planned;
  const products = offered.map(({ product }) => product);
  const spare = products.slice(MOST_RECOMMENDED);
  const isGhost = run.heldOut !== undefined;
  const product = productOf(run);
  const { name, at, properties } = run.trigger;
  return {
    shape: MESSAGE_SHAPE,
    id: messageId(contact.id, campaign.id, run.id, key, run.occurrence),
    contact: contact.id,
    campaign: campaign.id,
    version: campaign.version,
    step,
    key,
    run: run.id,
    kind,
    sender,
    email,
    state: isGhost ? 'ghost' : 'ready',
    plannedAt,
    createdAt: now,
    lane: laneOf(campaign, run),
    ...(isGhost ? {} : { due: plannedAt > now ? plannedAt : now + HEALING }),
    attempts: 0,
    ignoresQuiet,
    inputs: {
      trigger: { name, at, properties },
      recommendations: products.slice(0, MOST_RECOMMENDED),
      ...(spare.length === 0 ? {} : { spare }),
      ...(products.length === 0 ? {} : { origins: originsOf(offered) }),
      ...(product === undefined ? {} : { product }),
      ...(run.watchedAt === undefined ? {} : { watchedAt: run.watchedAt }),
    },
    ...variantOf(draft, campaign, run, { key, step, email, ignoresQuiet, ...send }),
    ...(send.coupon === undefined ? {} : { coupon: send.coupon }),
    because: becauseOf(book, contact, campaign, run, sight.now, draft.cause),
    ...(topic === undefined ? {} : { topic }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** Messages of campaigns with a lower priority that are planned for later and have not gone out: they may give way. */
function givingWay({ book, contact, now, messages }: Draft, { priority }: CompiledCampaign): Set<string> {
  const giving = new Set<string>();
  for (const run of contact.journey.runs) {
    const other = book.version.get(`${run.campaign}@${run.version}`);
    if (other === undefined || other.priority >= priority) continue;
    for (const { id, at } of run.pending) if (at > now) giving.add(id);
  }
  // What was planned in this very decision came first in order.
  for (const { id } of messages) giving.delete(id);
  return giving;
}

/** Takes back the messages that stand in the way of one at `at`; their campaigns are told which came first. */
function giveWay(draft: Draft, winner: CompiledCampaign, giving: ReadonlySet<string>, at: number): void {
  const { journey } = draft.contact;
  const { caps } = draft.book.definitions.settings;
  // As few as it takes, the least important first.
  const candidates = journey.runs
    .flatMap((run) => run.pending.filter(({ id }) => giving.has(id)).map((message) => ({ run, message })))
    .map((one) => ({
      ...one,
      campaign: draft.book.version.get(`${one.run.campaign}@${one.run.version}`) as CompiledCampaign,
    }))
    .sort((a, b) => a.campaign.priority - b.campaign.priority || b.run.startedAt - a.run.startedAt);
  for (const { run, message, campaign } of candidates) {
    if (capFree(caps, journey.sends, at) === at) return;
    journey.sends = journey.sends.filter(({ id }) => id !== message.id);
    run.pending = run.pending.filter(({ id }) => id !== message.id);
    takeBackFromWindows(draft, message.id);
    draft.drops.push({
      id: message.id,
      reason: `frequency-cap: ${winner.id} came first`,
      ...(message.contact === undefined ? {} : { contact: message.contact }),
    });
    note(draft, {
      campaign: campaign.id,
      version: campaign.version,
      run: run.id,
      kind: 'skip',
      reason: 'frequency-cap',
      winner: winner.id,
    });
  }
}
