// One contact's way through one campaign: a small program that waits, asks and plans messages.
import type { CompiledCampaign, Instruction } from './book.ts';
import type { Run } from './contact.ts';
import { type Draft, note } from './decision.ts';
import { gate, sightOfRun } from './eligibility.ts';
import { MESSAGE_SHAPE, type Message, messageId } from './message.ts';
import { latestBought, recommend } from './recommend.ts';
import type { Sight } from './rule-node.ts';
import { durationMs, nextLocal } from './time.ts';

/** A message that is sent at once is due again after this long: a lost hand-off heals itself. */
const HEALING = 300_000;

/** How long a message waits for an address to become known before it is skipped. */
const ADDRESS_MAY_COME = 3_600_000;

/** Goes on as far as the run can at this instant. Changes `run` and `draft`. */
export function advance(draft: Draft, campaign: CompiledCampaign, run: Run, sight: Sight): void {
  const { now } = draft;
  while (run.ended === undefined) {
    if (run.wakeAt !== undefined) {
      if (run.wakeAt > now) return;
      run.from = run.wakeAt;
      delete run.wakeAt;
    }
    const instruction = campaign.program[run.at];
    if (instruction === undefined) {
      run.ended = now;
      note(draft, { campaign: campaign.id, kind: 'end', reason: 'all steps done' });
      return;
    }
    switch (instruction.op) {
      case 'wait': {
        const until = endOfWait(instruction, run, sight);
        if (until === undefined) {
          run.ended = now;
          note(draft, {
            campaign: campaign.id,
            kind: 'stop',
            reason: 'the product has no replaceAfter',
            step: instruction.step,
          });
          return;
        }
        run.wakeAt = until;
        run.at += 1;
        break;
      }
      case 'waitFor':
        if (!settleWaitFor(run, instruction, sightOfRun(sight, run))) return;
        break;
      case 'if':
        run.at = instruction.rule.test(sightOfRun(sight, run)) ? run.at + 1 : instruction.else;
        break;
      case 'jump':
        run.at = instruction.to;
        break;
      case 'send':
        // Events come in no order: who is known by a consent may be known by an address a moment later.
        if (draft.contact.facts.address === undefined) {
          run.waitsUntil ??= now + ADDRESS_MAY_COME;
          if (now < run.waitsUntil) return;
        }
        delete run.waitsUntil;
        plan(draft, campaign, run, instruction, sight);
        run.at += 1;
        break;
      case 'stop':
        run.ended = now;
        note(draft, { campaign: campaign.id, kind: 'stop', reason: instruction.why, step: instruction.step });
        return;
      default:
        throw new Error('not moved yet');
    }
  }
}

/** True when the wait is over, by the rule or by its time; then `run` stands at the branch that follows. */
function settleWaitFor(run: Run, instruction: Extract<Instruction, { op: 'waitFor' }>, sight: Sight): boolean {
  run.waitsUntil ??= run.from + instruction.upTo;
  if (instruction.rule.test(sight)) {
    run.from = sight.now;
    run.at += 1;
  } else if (run.waitsUntil <= sight.now) {
    run.from = run.waitsUntil;
    run.at = instruction.else;
  } else return false;
  delete run.waitsUntil;
  return true;
}

function endOfWait({ wait }: Extract<Instruction, { op: 'wait' }>, run: Run, sight: Sight): number | undefined {
  if (wait === '@product.replaceAfter') {
    const replaceAfter = sightOfRun(sight, run).resolve?.(wait);
    return typeof replaceAfter === 'string' ? run.from + durationMs(replaceAfter) : undefined;
  }
  return typeof wait === 'string' ? run.from + durationMs(wait) : nextLocal(run.from, wait.until, sight.zone);
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

/** Passes the gates and plans one message; the run then goes on from the planned instant. */
function plan(
  draft: Draft,
  campaign: CompiledCampaign,
  run: Run,
  instruction: Extract<Instruction, { op: 'send' }>,
  sight: Sight,
): void {
  const { book, contact, now } = draft;
  const { kind, aim, topic, sender, expires } = campaign.campaign;
  const { step, email, ignoresQuiet, needs, unless } = instruction;
  // The step's own instant counts, however late it is processed.
  const expiresAt = expires === undefined ? undefined : run.from + durationMs(expires);
  const recommendations = recommend(book.definitions.catalogue, contact.facts.bought, seedsOf(run, sight), aim);
  const answer = gate(book, campaign, sightOfRun(sight, run), {
    ignoresQuiet,
    recommendations,
    ...(needs === undefined ? {} : { needs }),
    ...(unless === undefined ? {} : { unless }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(run.product === undefined ? {} : { product: run.product }),
  });
  if (answer.kind === 'skip') {
    note(draft, { campaign: campaign.id, kind: 'skip', reason: answer.reason, step });
    return;
  }
  const plannedAt = answer.at;
  const message: Message = {
    shape: MESSAGE_SHAPE,
    id: messageId(contact.id, campaign.id, run.id, step, run.occurrence),
    contact: contact.id,
    campaign: campaign.id,
    version: campaign.version,
    step,
    run: run.id,
    kind,
    sender,
    email,
    state: 'ready',
    plannedAt,
    createdAt: now,
    lane: 'triggered',
    due: plannedAt > now ? plannedAt : now + HEALING,
    attempts: 0,
    ignoresQuiet,
    inputs: {
      trigger: { name: run.trigger.name, at: run.trigger.at, properties: run.trigger.properties },
      recommendations,
      ...(run.product === undefined ? {} : { product: run.product }),
    },
    ...(topic === undefined ? {} : { topic }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  draft.messages.push(message);
  run.planned = true;
  run.pending = [...run.pending, { id: message.id, at: plannedAt }];
  if (kind === 'marketing') {
    const sends = [...contact.journey.sends, { at: plannedAt, id: message.id }];
    contact.journey.sends = sends.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  }
  const deferred = plannedAt > now;
  note(draft, {
    campaign: campaign.id,
    kind: deferred ? 'defer' : 'send',
    reason: deferred ? 'caps or quiet hours' : email,
    step,
  });
  if (deferred) run.wakeAt = plannedAt;
  run.from = plannedAt;
}

/** The earliest instant at which time alone can move the run. */
export function runDue(campaign: CompiledCampaign, run: Run, sight: Sight): number {
  if (run.ended !== undefined) return Number.POSITIVE_INFINITY;
  const turns = [run.wakeAt ?? Number.POSITIVE_INFINITY, campaign.stopIf?.next(sight) ?? Number.POSITIVE_INFINITY];
  const instruction = campaign.program[run.at];
  if (run.wakeAt === undefined) {
    turns.push(run.waitsUntil ?? Number.POSITIVE_INFINITY);
    if (instruction?.op === 'waitFor') turns.push(instruction.rule.next(sight));
  }
  return Math.min(...turns);
}
