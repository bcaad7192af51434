// Checks what a kind of campaign promises: service mail advertises nothing, a requested one answers a request of the person.
import { Liquid } from 'liquidjs';
import type { Campaign, When } from './campaign-grammar.ts';
import { eachStep, startingEvents } from './campaign-parts.ts';
import type { RuleCheck } from './check-rules.ts';
import { type Draft, sendsOf } from './draft.ts';
import { builtinEvents } from './fields.ts';
import { TRACKING } from './settings.ts';

type Path = (string | number)[];

const REQUEST = 'Consent Requested';
/** Events of a shop's own cannot be judged by us; of those that are built in, these are of an order or of consent. */
const OF_SERVICE = /^(Order |Consent )/;

/** What chooses people where no event does. */
const CHOICES: Record<string, string> = {
  enters: 'a segment',
  leaves: 'a segment',
  changes: 'an attribute',
  date: 'a date',
};

const FORMS = ['did', 'enters', 'leaves', 'changes', 'date', 'due', 'product', 'at', 'every'];
const formOf = (when: When): string => FORMS.find((form) => form in when) ?? '';

const startedBy = ({ when }: Campaign): string[] => startingEvents(when);

/** A campaign that asks "is this your address?": it writes to somebody who has not consented yet. */
export function asksForConsent(campaign: Campaign): boolean {
  return startedBy(campaign).includes(REQUEST);
}

/** Whether what this campaign sends may hold no advertising. */
export function advertisesNothing(campaign: Campaign): boolean {
  return campaign.kind === 'service' || asksForConsent(campaign);
}

/** Faults of a campaign against its own kind; `check` gathers them. */
export function checkKind(campaign: Campaign, check: RuleCheck, draft: Draft): void {
  if (campaign.topic === TRACKING) {
    check.fault(
      'campaign.topic',
      ['topic'],
      `"${TRACKING}" is the consent to be seen opening e-mails: nobody consents to mail by it.`,
      'Name the topic that the e-mail is about.',
    );
  }
  if (campaign.kind === 'service') checkService(campaign, check, draft);
  if (campaign.kind === 'requested') checkRequested(campaign, check, draft);
  if (campaign.kind === 'marketing' && asksForConsent(campaign)) {
    check.fault(
      'campaign.confirmation',
      ['kind'],
      'a request for consent is answered before there is a consent, which marketing needs.',
      'Write "service"; offers follow the consent, in a campaign that starts with "Consent Granted".',
    );
  }
}

function checkService(campaign: Campaign, check: RuleCheck, draft: Draft): void {
  const { topic, aim, when, steps } = campaign;
  const fault = (path: Path, message: string, remedy: string): void =>
    check.fault('campaign.service', path, message, remedy);
  if (topic !== undefined) {
    fault(
      ['topic'],
      'a service campaign has no topic: it is sent without consent.',
      'Take it out, or make the campaign "marketing".',
    );
  }
  const wins =
    aim === 'acquisition' && startedBy(campaign).length > 0 && startedBy(campaign).every((each) => each === REQUEST);
  if (aim !== 'service' && !wins) {
    fault(
      ['aim'],
      `"${aim}" is the aim of marketing.`,
      'Write "service", or make the campaign "marketing". Only the answer to "Consent Requested" may aim at acquisition.',
    );
  }
  const sends = sendsOf(steps);
  const form = formOf(when);
  if ('due' in when || 'product' in when) {
    fault(
      ['when', form],
      `${'due' in when ? 'that something runs out' : 'that a product turns'} is a reason to buy, and no fact of an order.`,
      'Make the campaign "marketing".',
    );
  } else if (!('did' in when) && sends.length > 0) {
    const choice = CHOICES[form] ?? 'a time of the calendar';
    check.warn(
      'campaign.service',
      ['when', form],
      `a service campaign tells a fact of an order or of a subscription, and ${choice} is a choice of people.`,
      'Start it with the event itself, if there is one.',
    );
  } else if ('did' in when && sends.length > 0) {
    startedBy(campaign).forEach((name, index) => {
      if (OF_SERVICE.test(name) || !Object.hasOwn(builtinEvents, name)) return;
      fault(
        typeof when.did === 'string' ? ['when', 'did'] : ['when', 'did', index],
        `"${name}" is no fact of an order or of a subscription: to answer it is marketing.`,
        'Start with an event of orders, "Consent Requested" or one of your own, or make the campaign "marketing".',
      );
    });
  }
  for (const { step, path: at } of eachStep(steps, ['steps'])) {
    if (!('send' in step)) continue;
    if (step.coupon !== undefined) {
      fault([...at, 'coupon'], 'a service e-mail makes no offer.', 'Make the campaign "marketing", or take it out.');
    }
    if (step.needs !== undefined && Object.hasOwn(step.needs, 'recommendations')) {
      fault(
        [...at, 'needs', 'recommendations'],
        'a service e-mail recommends nothing.',
        'Make the campaign "marketing", or take "needs" out.',
      );
    }
    const [other] = Object.entries(draft.campaigns).find(
      ([, each]) => each.kind === 'marketing' && sendsOf(each.steps).some(({ send }) => send === step.send),
    ) ?? [undefined];
    if (other === undefined) continue;
    fault(
      [...at, 'send'],
      `e-mail "${step.send}" is marketing too: the campaign "${other}" sends it.`,
      `Give this campaign an e-mail of its own: copy the folder emails/${step.send}.`,
    );
  }
}

const BY: Record<string, string> = {
  enters: 'by being in a segment',
  leaves: 'by being in a segment',
  changes: 'by what changes about them',
  date: 'by a date',
  due: 'by what runs out',
};

function checkRequested(campaign: Campaign, check: RuleCheck, { settings }: Draft): void {
  const { when, aim, sender, topic } = campaign;
  const fault = (path: Path, message: string, remedy: string): void =>
    check.fault('campaign.requested', path, message, remedy);
  const asked = 'product' in when ? when.watchedBy.did : 'did' in when ? when.did : undefined;
  if (asked === undefined) {
    const form = formOf(when);
    fault(
      ['when', form],
      `nobody asks for an e-mail ${BY[form] ?? 'by what the calendar says'}.`,
      'Start with the event by which they ask, such as "Back In Stock Requested", or make the campaign "marketing".',
    );
  } else {
    [asked].flat().forEach((name, index) => {
      const at = [
        ...('product' in when ? ['when', 'watchedBy', 'did'] : ['when', 'did']),
        ...(typeof asked === 'string' ? [] : [index]),
      ];
      if (/ Requested$/.test(name)) return;
      if (Object.hasOwn(builtinEvents, name)) {
        fault(
          at,
          `"${name}" is no request for an e-mail.`,
          'Start with the event by which they ask, such as "Back In Stock Requested", or make the campaign "marketing".',
        );
      } else {
        check.warn(
          'campaign.requested',
          at,
          `is "${name}" the person's own request for this e-mail? It is sent without consent.`,
          'Name such events "… Requested", or make the campaign "marketing".',
        );
      }
    });
    for (const measure of ['times', 'sum', 'largest', 'distinct'] as const) {
      if (!('did' in when) || when[measure] === undefined) continue;
      fault(['when', measure], 'one request is asked for once, and answered.', 'Take it out.');
    }
  }
  if (aim === 'cross-sell' || aim === 'up-sell') {
    fault(['aim'], `"${aim}" is what the shop wants, not what was asked for.`, 'Make the campaign "marketing".');
  }
  for (const { step, path: at } of eachStep(campaign.steps, ['steps'])) {
    if (!('send' in step) || step.coupon === undefined) continue;
    fault([...at, 'coupon'], 'an offer is not what was asked for.', 'Make the campaign "marketing", or take it out.');
  }
  if (topic !== undefined) {
    check.warn(
      'campaign.requested',
      ['topic'],
      'is not asked for: a requested e-mail needs the request, not a consent.',
      'Take it out.',
    );
  }
  if (Object.hasOwn(settings.senders, sender) && settings.senders[sender]?.replyTo === undefined) {
    fault(
      ['sender'],
      `"${sender}" has no "replyTo": who asked for this e-mail must be able to answer it.`,
      'Add "replyTo" to the sender in settings.json.',
    );
  }
}

/** Something in an e-mail that advertises. */
export interface Advertising {
  /** What it does: "recommends products". */
  what: string;
  /** The variable as it stands there: `each.price`. */
  variable: string;
}

const PRICES = 'shows prices that are not of an order';
const PRICE_FIELDS: ReadonlySet<string> = new Set(['price', 'wasPrice', 'lowestPrice30d']);
const OFFER = 'makes an offer';
const OFFERS = new Set(['coupon', 'voucher', 'discount', 'promo', 'promotion', 'offer']);
const isOffer = (name: string): boolean =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .some((word) => OFFERS.has(word.replace(/s$/, '')));

/** Parses to list variables only; what it does not know, the engine has refused before. */
const reader = new Liquid({ strictFilters: false });

/**
 * What in a Liquid source advertises, where the campaign may not: recommendations, the cart, coupons and offers, prices of
 * products that are not lines of the order, and any product at all in a request for consent. Also through names that a loop or
 * an assignment gives. The words themselves cannot be judged. Expects a source that parses.
 */
export function advertisingIn(source: string, campaign: Campaign): Advertising[] {
  const ofOrder = startedBy(campaign).length > 0 && startedBy(campaign).every((name) => name.startsWith('Order '));
  const asks = asksForConsent(campaign);
  const aliases = new Map<string, string[]>();
  // The first name of what a loop runs over or an assignment takes: its fields are that one's.
  for (const [, loop, over, assigned, from] of source.matchAll(
    /\{%-?\s*(?:(?:for|tablerow)\s+([\w-]+)\s+in\s+([\w.-]+)|assign\s+([\w-]+)\s*=\s*([\w.-]+))/g,
  )) {
    aliases.set((loop ?? assigned)!, (over ?? from)!.split('.'));
  }
  const resolved = (path: string[], hops = 0): string[] => {
    const [root, ...rest] = path;
    const alias = root === undefined ? undefined : aliases.get(root);
    return alias === undefined || alias[0] === root || hops > 10 ? path : resolved([...alias, ...rest], hops + 1);
  };
  const found = new Map<string, Advertising>();
  const add = (what: string, variable: string): void => {
    if (!found.has(`${what} ${variable}`)) found.set(`${what} ${variable}`, { what, variable });
  };
  const reads: { path: string[]; variable?: string }[] = reader
    .variableSegmentsSync(reader.parse(source))
    .map((segments) => ({
      path: (segments as unknown[]).filter((segment): segment is string => typeof segment === 'string'),
    }));
  // `bought | map: "price"` names the field as a text.
  for (const [, from = '', field = ''] of source.matchAll(
    /\b([\w.-]+)(?:\[[^\]]*\])?\s*\|\s*(?:map|sum|where|find)\s*:\s*["'](\w+)["']/g,
  )) {
    reads.push({ path: [...from.split('.'), field], variable: from });
  }
  for (const { path, variable = path.join('.') } of reads) {
    const [root = '', ...fields] = resolved(path);
    const product = root === 'product' || root === 'bought';
    if (root === 'recommendations') add('recommends products', variable);
    else if (root === 'cart' || root === 'cartValue') add('shows the cart', variable);
    else if (product && asks) add('shows products', variable);
    else if (product && fields.some((field) => PRICE_FIELDS.has(field)) && !ofOrder) add(PRICES, variable);
    else if (isOffer(root) || (!(root === 'trigger' && ofOrder) && fields.some(isOffer))) add(OFFER, variable);
  }
  // A list that is shown is said once, not again for each of its fields.
  const once = new Set<string>();
  return [...found.values()].filter(({ what }) => {
    if (what === PRICES || what === OFFER) return true;
    return once.size < once.add(what).size;
  });
}
