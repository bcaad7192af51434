// One contact's way through one campaign: a small program that waits, asks, draws and comes to sends.
import type { CompiledCampaign, Instruction } from './compiled-campaign.ts';
import type { Run } from './contact.ts';
import { type Draft, note } from './decision.ts';
import { drawOf, pick, stepDraw } from './draw.ts';
import { sightOfRun } from './eligibility.ts';
import { type Json, type JsonObject, shortHash } from './interaction.ts';
import { placeAfterMove } from './move.ts';
import type { Sight } from './rule-node.ts';
import { durationMs, nextLocal } from './time.ts';

/** How long a message waits for an address to become known before it is skipped. */
const ADDRESS_MAY_COME = 3_600_000;
/** How often somebody who waits for a test's winner looks, and how long after the test he gives up. */
const TEST_LOOKS = 300_000;
const TEST_GIVES_UP = 1_800_000;

export type SendInstruction = Extract<Instruction, { op: 'send' }>;

/**
 * Goes on as far as the run can at this instant without sending; answers the send at which it stands and that may be
 * planned now, or undefined where it waits or has ended. Changes `run` and `draft`.
 */
export function walk(draft: Draft, campaign: CompiledCampaign, run: Run, sight: Sight): SendInstruction | undefined {
  const { now } = draft;
  const said = { campaign: campaign.id, version: campaign.version, run: run.id };
  while (run.ended === undefined) {
    if (run.wakeAt !== undefined) {
      if (run.wakeAt > now) return undefined;
      run.from = run.wakeAt;
      delete run.wakeAt;
    }
    const instruction = campaign.program[run.at];
    if (instruction === undefined) {
      run.ended = now;
      note(draft, { ...said, kind: 'end', reason: 'all steps done' });
      return undefined;
    }
    const { step } = instruction;
    switch (instruction.op) {
      case 'wait': {
        const until = endOfWait(instruction, run, sight);
        if (until === undefined) {
          run.ended = now;
          note(draft, { ...said, kind: 'stop', reason: 'the product has no replaceAfter', step });
          return undefined;
        }
        run.wakeAt = until;
        run.at += 1;
        break;
      }
      case 'waitFor':
        if (!settleWaitFor(run, instruction, sightOfRun(sight, run))) return undefined;
        break;
      case 'if':
        run.at = instruction.rule.test(sightOfRun(sight, run)) ? run.at + 1 : instruction.else;
        break;
      case 'split': {
        const draw = drawOf('split/1', stepDraw(campaign.id, step), sight.contact.id);
        run.at = pick(instruction.branches, draw)?.to ?? campaign.program.length;
        break;
      }
      case 'jump':
        run.at = instruction.to;
        break;
      case 'send':
        // A run that was moved to another version may come to a send that it has passed in the one before.
        if (run.sent?.includes(instruction.key)) {
          run.at += 1;
          break;
        }
        return isReady(draft, campaign, run, instruction, sight) ? instruction : undefined;
      case 'set':
        if (run.heldOut === undefined) setAttributes(draft, campaign, instruction.values, step, run);
        else note(draft, { ...said, kind: 'hold out', reason: 'nothing is set', step });
        run.at += 1;
        break;
      case 'notify':
        if (run.heldOut === undefined) tellOthers(draft, campaign, run, instruction, sight);
        else note(draft, { ...said, kind: 'hold out', reason: `"${instruction.event}" is not told`, step });
        run.at += 1;
        break;
      case 'rest':
        if (run.heldOut === undefined) {
          const rests = { ...draft.contact.journey.rests };
          const { topic, until, why } = instruction;
          rests[topic] = { since: now, campaign: campaign.id, why, until };
          draft.contact.journey.rests = rests;
          note(draft, { ...said, kind: 'rest', reason: `"${topic}" rests: ${why}`, step });
        } else note(draft, { ...said, kind: 'hold out', reason: `"${instruction.topic}" does not rest`, step });
        run.at += 1;
        break;
      case 'stop':
        run.ended = now;
        note(draft, { ...said, kind: 'stop', reason: instruction.why, step });
        return undefined;
      default:
        instruction satisfies never;
    }
  }
  return undefined;
}

/** Whether a send can be planned: there is an address, or none has come in an hour; and its test has told what to send. */
function isReady(
  draft: Draft,
  campaign: CompiledCampaign,
  run: Run,
  instruction: SendInstruction,
  sight: Sight,
): boolean {
  const { now, contact } = draft;
  // Events come in no order: who is known by a consent may be known by an address a moment later.
  if (contact.facts.address === undefined) {
    run.waitsUntil ??= now + ADDRESS_MAY_COME;
    if (now < run.waitsUntil) return false;
  }
  delete run.waitsUntil;
  // Nothing is left of a held-out run's message before its time.
  if (run.heldOut !== undefined && run.looksAt !== undefined && run.looksAt > now) return false;
  delete run.looksAt;
  const { test } = instruction;
  if (test === undefined || inTest(campaign, instruction, sight.contact.id)) return true;
  if (draft.book.controls.tests?.[testKey(campaign, run, instruction)] !== undefined) return true;
  const ends = run.from + test.lasts;
  if (now >= ends + TEST_GIVES_UP) return true;
  run.looksAt = now < ends ? ends : Math.min(now + TEST_LOOKS, ends + TEST_GIVES_UP);
  return false;
}

/** Whether a contact is of the share with which a test is made. */
export function inTest(campaign: CompiledCampaign, { key, test }: SendInstruction, contactId: string): boolean {
  return test !== undefined && drawOf('test/1', stepDraw(campaign.id, key), contactId) < test.share;
}

/** The name of a test: of each version its own, and of a broadcast each time. */
export function testKey(campaign: CompiledCampaign, run: Run, { key }: SendInstruction): string {
  const name = `${campaign.id}@${campaign.version}|${key}`;
  return run.occurrence.startsWith('broadcast|') ? `${name}|${run.occurrence.slice('broadcast|'.length)}` : name;
}

/**
 * The content alternative of a send for a contact, and the test that it is part of: by lot among the variants, the winner
 * once a test has one, else again by lot.
 */
export function variantOf(
  draft: Draft,
  campaign: CompiledCampaign,
  run: Run,
  instruction: SendInstruction,
): { variant?: string; test?: string } {
  const { key, test, variants } = instruction;
  const draw = drawOf('variant/1', stepDraw(campaign.id, key), draft.contact.id);
  if (test === undefined) {
    const drawn = variants === undefined ? undefined : pick(variants, draw);
    return drawn === undefined ? {} : { variant: drawn.name };
  }
  const weight = 100 / test.variants.length;
  const lot = pick(
    test.variants.map((name) => ({ name, weight })),
    draw,
  )?.name as string;
  const name = testKey(campaign, run, instruction);
  const decided = draft.book.controls.tests?.[name];
  if (decided !== undefined) return { variant: decided.winner ?? lot };
  return inTest(campaign, instruction, draft.contact.id) ? { variant: lot, test: name } : { variant: lot };
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

/** Starts the wait at which the run stands anew, from an instant on; nothing where it does not wait. */
export function restartWait(campaign: CompiledCampaign, run: Run, at: number, sight: Sight): void {
  const last = campaign.program[run.at - 1];
  const here = campaign.program[run.at];
  if (run.wakeAt !== undefined && last?.op === 'wait') {
    run.from = at;
    const until = endOfWait(last, run, sight);
    if (until !== undefined) run.wakeAt = until;
  } else if (run.wakeAt === undefined && here?.op === 'waitFor' && run.waitsUntil !== undefined) {
    run.from = at;
    run.waitsUntil = at + here.upTo;
  }
}

/** What a campaign gives a contact; rules see it at the next stimulus, which is due at once. */
function setAttributes(
  draft: Draft,
  campaign: CompiledCampaign,
  values: Record<string, Json>,
  step: string,
  run: Run,
): void {
  const { contact, now } = draft;
  const changed = { ...contact.journey.changed };
  for (const [name, value] of Object.entries(values)) {
    const before = (draft.set[name] ?? contact.facts.attributes[name])?.value ?? null;
    draft.set[name] = { value, at: now, id: shortHash('set', run.id, step) };
    // Also where the value is the same: since when it is given is new.
    if (!Object.hasOwn(changed, name)) changed[name] = before;
  }
  contact.journey.changed = changed;
  const said = Object.entries(values).map(([name, value]) => `${name} = ${String(value)}`);
  note(draft, {
    campaign: campaign.id,
    version: campaign.version,
    run: run.id,
    kind: 'set',
    reason: said.join(', '),
    step,
  });
}

function tellOthers(
  draft: Draft,
  campaign: CompiledCampaign,
  run: Run,
  { event, with: asked, step }: Extract<Instruction, { op: 'notify' }>,
  sight: Sight,
): void {
  const { resolve } = sightOfRun(sight, run);
  const properties: JsonObject = {};
  for (const [name, value] of Object.entries(asked)) {
    const meant = typeof value === 'string' && value.startsWith('@') ? resolve?.(value) : value;
    if (meant !== undefined) properties[name] = meant;
  }
  draft.notices.push({
    id: `n${shortHash('notice', draft.contact.id, campaign.id, campaign.version, run.id, step)}`,
    contact: draft.contact.id,
    campaign: campaign.id,
    version: campaign.version,
    run: run.id,
    step,
    event,
    at: draft.now,
    // What a run tells after a wait comes from what started it.
    hops: Math.max(draft.hops, run.trigger.hops ?? 0) + 1,
    properties,
  });
  note(draft, { campaign: campaign.id, version: campaign.version, run: run.id, kind: 'notify', reason: event, step });
}

/**
 * Moves a run to the version of its campaign that is live, where that says so. Answers the version that it goes on in, or
 * why it stops.
 */
export function followVersion(draft: Draft, run: Run): CompiledCampaign | { stops: string } {
  const { version, campaign: live } = draft.book;
  const own = version.get(`${run.campaign}@${run.version}`);
  if (own === undefined) return { stops: 'its version is no longer published' };
  const next = live.get(run.campaign);
  if (next === undefined || next.version === own.version || run.ended !== undefined) return own;
  switch (next.campaign.onNewVersion) {
    case 'stop':
      return { stops: 'a new version of the campaign' };
    case 'move': {
      const place = placeAfterMove(own.program, next.program, run.at, run.wakeAt !== undefined);
      // Publish has refused a version to which runs cannot move: one that stands nowhere ends where it began.
      if (place === undefined) return own;
      run.version = next.version;
      run.at = place;
      return next;
    }
    default:
      return own;
  }
}

/** The earliest instant at which time alone can move the run. */
export function runDue(campaign: CompiledCampaign, run: Run, sight: Sight): number {
  if (run.ended !== undefined) return Number.POSITIVE_INFINITY;
  const turns = [run.wakeAt ?? Number.POSITIVE_INFINITY, campaign.stopIf?.next(sight) ?? Number.POSITIVE_INFINITY];
  const instruction = campaign.program[run.at];
  if (run.wakeAt === undefined) {
    turns.push(run.waitsUntil ?? Number.POSITIVE_INFINITY, run.looksAt ?? Number.POSITIVE_INFINITY);
    if (instruction?.op === 'waitFor') turns.push(instruction.rule.next(sight));
  }
  return Math.min(...turns);
}
