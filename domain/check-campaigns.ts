// Checks one campaign: its names, what starts it, what its parts say of each other, and what its rules mean beside its start.
import { rulesOf } from './book.ts';
import type { Campaign } from './campaign-grammar.ts';
import { eachStep } from './campaign-parts.ts';
import { checkKind } from './check-kinds.ts';
import type { RuleLogic } from './check-logic.ts';
import { checkStart } from './check-meaning.ts';
import type { RunKnowledge } from './check-references.ts';
import { RuleCheck } from './check-rules.ts';
import { checkSteps } from './check-steps.ts';
import { checkWhen } from './check-when.ts';
import { type Draft, recommends, sendsOf } from './draft.ts';
import type { Fault } from './fault.ts';
import type { EventFields } from './fields.ts';
import type { Settings } from './settings.ts';
import { triggersOf } from './triggers.ts';
import { domainOf } from './warm-up.ts';

/** What is wrong with one campaign; `logic` is absent where segments are at fault, and what rules mean is then not asked. */
export function checkCampaign(
  id: string,
  campaign: Campaign,
  draft: Draft,
  logic: RuleLogic | undefined,
): { faults: Fault[]; warnings: Fault[] } {
  const file = `campaigns/${id}.json`;
  const { settings, vocabulary } = draft;
  const run = knowledgeOf(campaign, draft);
  const check = new RuleCheck(vocabulary, file, run);
  const later = check.knowing({ ...run, sent: recommends(campaign, draft) ? 'known' : 'nothing' });
  if (campaign.topic !== undefined)
    check.name('reference.topic', 'topic', campaign.topic, Object.keys(settings.topics), ['topic']);
  check.name('reference.sender', 'sender', campaign.sender, Object.keys(settings.senders), ['sender']);
  checkWhen(campaign, check, draft);
  checkAgain(campaign, run, check);
  if (campaign.for !== undefined) check.rule(campaign.for, ['for']);
  if (campaign.stopIf !== undefined) later.rule(campaign.stopIf, ['stopIf']);
  if (campaign.restartOn !== undefined) {
    check.did(campaign.restartOn, ['restartOn']);
    if (!eachStep(campaign.steps).some(({ step }) => 'wait' in step || 'waitFor' in step)) {
      check.warn('campaign.restart', ['restartOn'], 'there is no wait that could start anew.', 'Take it out.');
    }
  }
  if (campaign.success !== undefined) checkSuccess(campaign.success, later, draft);
  checkDates(campaign, check);
  checkSteps({ campaign, check, later, draft, logic });
  checkKind(campaign, check, draft);
  checkHoldout(campaign, check);
  checkPlanned(campaign, settings, check);
  if (logic !== undefined && check.faults.length === 0) {
    for (const { rule, path } of rulesOf(campaign)) logic.rule(rule, file, path);
    check.faults.push(...logic.faults.splice(0));
    check.warnings.push(...logic.warnings.splice(0));
    if (check.faults.length === 0) checkStart(campaign, check, logic);
  }
  return check;
}

/** What a run of this campaign knows before anything is sent. */
function knowledgeOf({ when }: Campaign, { vocabulary }: Draft): RunKnowledge {
  const triggers = triggersOf(when, vocabulary);
  const product = triggers.length > 0 && triggers.every(({ fields }) => Object.hasOwn(fields, 'product_id'));
  return {
    begun: true,
    triggers,
    product: product || ('did' in when && when.each !== undefined),
    watch: 'product' in when,
    sent: 'too early',
  };
}

function checkAgain({ again, when, triggerAge }: Campaign, run: RunKnowledge, check: RuleCheck): void {
  const fault = (message: string, remedy: string): void => check.fault('campaign.again', ['again'], message, remedy);
  const has = (property: string): boolean =>
    run.triggers.length > 0 && run.triggers.every(({ fields }) => Object.hasOwn(fields, property));
  if (again === 'once per product' && !run.product) {
    fault(
      '"once per product" needs a product, and this campaign has none.',
      'Say "each": "products" in "when", or choose "after 30d".',
    );
  }
  if (again === 'once per order' && !has('order_id')) {
    fault('"once per order" needs an event with an order_id.', 'Choose "never", "every time" or "after 30d".');
  }
  if (again === 'once per request') {
    const requests = 'did' in when ? [when.did].flat().every((name) => name.endsWith(' Requested')) : 'product' in when;
    if (!requests) {
      fault(
        '"once per request" needs a request: a "product" that turns for who watches it, or an event named "… Requested".',
        'Choose "every time" or "after 30d".',
      );
    }
  }
  if ('every' in when) {
    if (again === 'never') {
      check.warn(
        'campaign.again',
        ['again'],
        '"never": of all these broadcasts each person gets the first one only.',
        'Write "every time".',
      );
    }
    const days = /^after (\d+)([hdw])$/.exec(again);
    const distance = when.every.startsWith('day') ? 1 : when.every.startsWith('month') ? 28 : 7;
    const length = days === null ? 0 : Number(days[1]) * { h: 1 / 24, d: 1, w: 7 }[days[2] as 'h' | 'd' | 'w'];
    if (length >= distance) {
      check.warn(
        'campaign.again',
        ['again'],
        `"${again}" is as long as from one broadcast to the next, or longer: it leaves some of them out.`,
        'Write "every time".',
      );
    }
  }
  if (triggerAge !== undefined && !('did' in when || 'changes' in when || 'date' in when)) {
    check.fault(
      'campaign.trigger-age',
      ['triggerAge'],
      'belongs to campaigns that start with an event, an attribute or a date.',
      'Take it out.',
    );
  }
}

/** Opens and clicks are seen by machines as well, and say nothing of what a campaign is worth. */
const FEEDBACK = ['Email Delivered', 'Email Opened', 'Email Clicked'];

/** Whether an event says what it is worth: its revenue, or the products of which the catalogue knows the margin. */
const isWorth = (value: 'revenue' | 'margin', fields: EventFields): boolean =>
  value === 'revenue' ? fields.revenue === 'money' : typeof fields.products === 'object';

function checkSuccess(success: NonNullable<Campaign['success']>, check: RuleCheck, { vocabulary }: Draft): void {
  check.did(success, ['success']);
  [success.did].flat().forEach((name, index) => {
    const fields = Object.hasOwn(vocabulary.events, name) ? vocabulary.events[name] : undefined;
    const at = typeof success.did === 'string' ? ['success', 'did'] : ['success', 'did', index];
    if (FEEDBACK.includes(name)) {
      check.fault(
        'campaign.success',
        at,
        `"${name}" is no success: what becomes of an e-mail says nothing of what it leads to.`,
        'Name what people are to do, such as "Order Completed" or "Product Viewed".',
      );
    } else if (success.value !== undefined && fields !== undefined && !isWorth(success.value, fields)) {
      check.fault(
        'campaign.success',
        ['success', 'value'],
        `"${name}" has no ${success.value}.`,
        `Take "value" out, or count "Order Completed".`,
      );
    }
  });
}

function checkDates({ starts, ends, when }: Campaign, check: RuleCheck): void {
  if (starts !== undefined && ends !== undefined && starts > ends) {
    check.fault('campaign.dates', ['ends'], `"${ends}" is before the start, "${starts}".`, 'Exchange them.');
    return;
  }
  if (!('at' in when && 'clock' in when)) return;
  const day = when.at.slice(0, 10);
  const out = starts !== undefined && day < starts ? 'starts' : ends !== undefined && day > ends ? 'ends' : undefined;
  if (out === undefined) return;
  check.fault(
    'campaign.dates',
    ['when', 'at'],
    `"${when.at}" is ${out === 'starts' ? 'before the campaign starts' : 'after the campaign has ended'}: it is sent to nobody.`,
    `Change "${out}", or take it out: a broadcast has its own time.`,
  );
}

function checkHoldout({ kind, holdout, success, priority, ifCapped }: Campaign, check: RuleCheck): void {
  if (kind === 'marketing') {
    if (holdout !== undefined && holdout > 0 && success === undefined) {
      check.warn(
        'campaign.holdout',
        ['holdout'],
        'holds people out, and without "success" there is nothing to compare them by.',
        'Say what counts: "success": {"did": "Order Completed", "within": "14d"}.',
      );
    }
    return;
  }
  const is = kind === 'service' ? 'a service campaign' : 'a requested e-mail';
  if (holdout !== undefined && holdout > 0) {
    check.fault(
      'campaign.holdout',
      ['holdout'],
      `${is} is kept from nobody.`,
      'Take it out, or make the campaign "marketing".',
    );
  }
  for (const [key, value] of Object.entries({ priority, ifCapped })) {
    if (value === undefined) continue;
    check.warn('campaign.caps', [key], `says nothing: ${is} knows no caps.`, 'Take it out.');
  }
}

/** A plan that the warm-up of its domain cannot keep. */
function checkPlanned(
  { plannedPerDay, sender, kind }: Campaign,
  { senders, warmUp }: Settings,
  check: RuleCheck,
): void {
  const domain = Object.hasOwn(senders, sender) ? domainOf(senders[sender]!.from) : undefined;
  if (plannedPerDay === undefined || kind !== 'marketing' || domain === undefined) return;
  const plan = warmUp !== undefined && Object.hasOwn(warmUp, domain) ? warmUp[domain] : undefined;
  const most = plan?.days.at(-1)?.most;
  if (most === undefined || plannedPerDay <= most) return;
  check.warn(
    'campaign.planned',
    ['plannedPerDay'],
    `${plannedPerDay} a day are meant, and the warm-up of ${domain} lets at most ${most} go on its last day.`,
    'Until the plan has ended the rest waits. Start the campaign later ("starts"), or lengthen the plan.',
  );
}

/** Coupon pools that no campaign gives codes of. */
export function checkPools({ coupons, campaigns }: Draft): Fault[] {
  const given = new Set(Object.values(campaigns).flatMap(({ steps }) => sendsOf(steps).map(({ coupon }) => coupon)));
  return Object.keys(coupons.pools)
    .filter((pool) => !given.has(pool))
    .map((pool) => ({
      code: 'coupon.unused',
      file: 'coupons.json',
      path: `pools.${pool}`,
      message: 'is given by no campaign.',
      remedy: `Write "coupon": "${pool}" beside a "send", or take it out.`,
    }));
}
