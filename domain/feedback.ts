// What SES and the person report of a message: read from EventBridge events, and folded in any order.
import * as z from 'zod';
import { parseAddress } from './address.ts';
import { type EventBridgeEvent, OWN_SOURCE } from './event.ts';
import { type Fault, sayPath } from './fault.ts';
import { kindOf } from './fields.ts';
import type { Delivery, Message } from './message.ts';
import type { SoftBounces } from './settings.ts';
import { durationMs } from './time.ts';

export type FeedbackType =
  | 'send'
  | 'delivery'
  | 'delay'
  | 'bounce'
  | 'complaint'
  | 'reject'
  | 'open'
  | 'click'
  | 'rendering-failure'
  /** The person left by a link of the mail: our own event, not one of SES. */
  | 'unsubscribe';

export interface Feedback {
  type: FeedbackType;
  /** Our message, contact and campaign, from the tags. */
  message: string;
  contact: string;
  campaign?: string;
  /** The hash of the address that the mail went to: the contact may have another by now. */
  sentTo?: string;
  /** When it happened, epoch milliseconds. */
  at: number;
  /** When SES took the mail; the same in all events of one mail. Absent where SES has not said it. */
  sentAt?: number;
  sesId?: string;
  bounce?: { type: 'Permanent' | 'Transient' | 'Undetermined'; subType: string };
  /** An open or a click that is no engagement: of a machine, by SES's reading, or one that may not be counted. */
  automated?: boolean;
  link?: string;
  /** EventBridge's id. */
  id: string;
}

const Instant = z.iso.datetime({ offset: true });
const Tag = z.array(z.string()).min(1);
const Mail = z.looseObject({
  timestamp: Instant,
  messageId: z.string().min(1),
  destination: z.unknown(),
  tags: z.looseObject({
    'kairos-message': Tag.optional(),
    'kairos-contact': Tag.optional(),
    'kairos-campaign': Tag.optional(),
  }),
});
const Timed = z.looseObject({ timestamp: Instant });

/** The ten events of SES. `Reject`, `Send` and `Rendering Failure` have no time of their own. */
const Detail = z.discriminatedUnion('eventType', [
  z.looseObject({ eventType: z.literal('Send'), mail: Mail }),
  z.looseObject({ eventType: z.literal('Delivery'), mail: Mail, delivery: Timed }),
  z.looseObject({ eventType: z.literal('DeliveryDelay'), mail: Mail, deliveryDelay: Timed }),
  z.looseObject({
    eventType: z.literal('Bounce'),
    mail: Mail,
    bounce: z.looseObject({
      timestamp: Instant,
      bounceType: z.enum(['Permanent', 'Transient', 'Undetermined']),
      bounceSubType: z.string().default('Undetermined'),
    }),
  }),
  z.looseObject({
    eventType: z.literal('Complaint'),
    mail: Mail,
    complaint: z.looseObject({ timestamp: Instant, complaintFeedbackType: z.string().nullish() }),
  }),
  z.looseObject({ eventType: z.literal('Reject'), mail: Mail }),
  z.looseObject({ eventType: z.literal('Open'), mail: Mail, open: Timed }),
  z.looseObject({
    eventType: z.literal('Click'),
    mail: Mail,
    click: z.looseObject({ timestamp: Instant, link: z.string().optional() }),
  }),
  z.looseObject({ eventType: z.literal('Rendering Failure'), mail: Mail }),
]);

const Outer = z.looseObject({
  id: z.string().min(1),
  detail: z.looseObject({ eventType: z.string(), mail: z.looseObject({}).optional() }),
});
/** Our own event of somebody who left, with the mail whose link it was. */
const Left = z.looseObject({
  contactId: z.string().min(1),
  timestamp: Instant.optional(),
  properties: z.looseObject({ message: z.string().min(1).optional() }),
});

const KNOWN = new Set(Detail.def.options.map((option) => option.shape.eventType.value as string));

/**
 * What an event of SES, or our own of a withdrawal, says of one of our messages; `ignored` for what is no news of ours
 * (subscriptions, other senders' mail, reports that a mail was *not* spam, withdrawals that name no mail); a fault for
 * what cannot be read. Never throws; quotes no address.
 */
export function readFeedback(event: EventBridgeEvent): { feedback: Feedback } | { fault: Fault } | { ignored: string } {
  if (event?.source === OWN_SOURCE) return readLeaving(event);
  const outer = Outer.safeParse(event);
  if (!outer.success) return { fault: faultOf(outer.error, event) };
  const { id } = outer.data;
  const { eventType } = outer.data.detail;
  if (!KNOWN.has(eventType)) return { ignored: `event type ${eventType.slice(0, 40)}` };
  const parsed = Detail.safeParse(outer.data.detail);
  if (!parsed.success) return { fault: faultOf(parsed.error, outer.data.detail) };
  const detail = parsed.data;
  const { mail } = detail;
  const message = mail.tags['kairos-message']?.[0];
  const contact = mail.tags['kairos-contact']?.[0];
  const campaign = mail.tags['kairos-campaign']?.[0];
  if (message === undefined || contact === undefined) return { ignored: 'a mail without our tags' };
  const sentAt = Date.parse(mail.timestamp);
  const sentTo = addressed(mail.destination);
  const of = (type: FeedbackType, timestamp?: string): Feedback => ({
    type,
    message,
    contact,
    ...(campaign === undefined ? {} : { campaign }),
    ...(sentTo === undefined ? {} : { sentTo }),
    at: timestamp === undefined ? sentAt : Date.parse(timestamp),
    sentAt,
    sesId: mail.messageId,
    id,
  });
  switch (detail.eventType) {
    case 'Send':
      return { feedback: of('send') };
    case 'Delivery':
      return { feedback: of('delivery', detail.delivery.timestamp) };
    case 'DeliveryDelay':
      return { feedback: of('delay', detail.deliveryDelay.timestamp) };
    case 'Bounce': {
      const { timestamp, bounceType, bounceSubType } = detail.bounce;
      return { feedback: { ...of('bounce', timestamp), bounce: { type: bounceType, subType: bounceSubType } } };
    }
    case 'Complaint':
      // "not-spam" takes back the filter's verdict: nobody complained.
      if (detail.complaint.complaintFeedbackType === 'not-spam') return { ignored: 'a report that it is not spam' };
      return { feedback: of('complaint', detail.complaint.timestamp) };
    case 'Reject':
      return { feedback: of('reject') };
    case 'Rendering Failure':
      return { feedback: of('rendering-failure') };
    case 'Open':
      return { feedback: { ...of('open', detail.open.timestamp), ...automatedOf(detail.open) } };
    case 'Click': {
      const { timestamp, link } = detail.click;
      return {
        feedback: { ...of('click', timestamp), ...automatedOf(detail.click), ...(link === undefined ? {} : { link }) },
      };
    }
    default:
      return detail satisfies never;
  }
}

/** The hash of the first address, with or without a name around it. */
function addressed(destination: unknown): string | undefined {
  const first: unknown = Array.isArray(destination) ? destination[0] : undefined;
  if (typeof first !== 'string') return undefined;
  const parsed = parseAddress(first.replace(/^.*<([^<>]*)>\s*$/, '$1'));
  return 'refused' in parsed ? undefined : parsed.hash;
}

function readLeaving(event: EventBridgeEvent): ReturnType<typeof readFeedback> {
  if (event['detail-type'] !== 'Consent Withdrawn') return { ignored: 'an event of ours that is no withdrawal' };
  const left = Left.safeParse(event.detail);
  if (!left.success) return { fault: faultOf(left.error, event.detail) };
  const { contactId: contact, timestamp, properties } = left.data;
  if (properties.message === undefined) return { ignored: 'a withdrawal that names no mail' };
  const at = Date.parse(timestamp ?? String(event.time));
  if (Number.isNaN(at)) {
    return {
      fault: { code: 'feedback.shape', path: 'time', message: 'it is no instant.', received: kindOf(event.time) },
    };
  }
  return {
    feedback: {
      type: 'unsubscribe',
      message: properties.message,
      contact,
      at,
      id: String(event.id),
    },
  };
}

/**
 * Since August 2026 SES says of each open and click `isBotEvent: "Likely"` or `"Unlikely"`. Whatever is not unlikely
 * is taken for a machine's: an engagement too few harms nobody. A mark of another name counts when it says yes.
 */
function automatedOf(action: Record<string, unknown>): { automated?: true } {
  const marked = Object.entries(action).some(([name, value]) => {
    if (name === 'isBotEvent')
      return value !== undefined && value !== null && value !== false && !/^unlikely$/i.test(String(value));
    return /automat|machine|bot/i.test(name) && (value === true || /^(likely|true|yes)$/i.test(String(value)));
  });
  return marked ? { automated: true } : {};
}

/** The worse one stays; what came later in time decides nothing. */
const SEVERITY: Record<Delivery, number> = {
  delayed: 1,
  'soft-bounced': 2,
  delivered: 3,
  rejected: 4,
  bounced: 5,
  complained: 6,
};

function deliveryOf({ type, bounce }: Feedback): Delivery | undefined {
  switch (type) {
    case 'delivery':
      return 'delivered';
    case 'delay':
      return 'delayed';
    case 'bounce':
      return bounce?.type === 'Permanent' ? 'bounced' : 'soft-bounced';
    case 'complaint':
      return 'complained';
    case 'reject':
    case 'rendering-failure':
      return 'rejected';
    default:
      return undefined;
  }
}

/**
 * The message with the feedback folded in: any order, any repeats, one result. All feedback proves that SES took the
 * mail, so it closes an open claim (`ready`, `claimed`, `uncertain` → `sent`, out of the due index). Automated opens
 * and clicks prove only that. Nothing is told of a ghost, which never was a mail. Returns the same object when nothing
 * changes.
 */
export function applyFeedback(message: Message, feedback: Feedback): Message {
  if (message.state === 'ghost') return message;
  const changes: Partial<Message> = {};
  const open = message.state === 'ready' || message.state === 'claimed' || message.state === 'uncertain';
  if (open) changes.state = 'sent';
  if (open || message.state === 'sent') {
    if (message.sesId === undefined && feedback.sesId !== undefined) changes.sesId = feedback.sesId;
    if (message.sentAt === undefined && feedback.sentAt !== undefined) changes.sentAt = feedback.sentAt;
  }
  const delivery = deliveryOf(feedback);
  if (delivery !== undefined && SEVERITY[delivery] > (message.delivery ? SEVERITY[message.delivery] : 0)) {
    changes.delivery = delivery;
    if (feedback.sentTo !== undefined && message.sentTo === undefined) changes.sentTo = feedback.sentTo;
  }
  const first = FIRSTS[feedback.type];
  if (first !== undefined && !feedback.automated && feedback.at < (message[first] ?? Number.POSITIVE_INFINITY)) {
    changes[first] = feedback.at;
  }
  if (Object.keys(changes).length === 0) return message;
  const changed = { ...message, ...changes };
  if (changed.state === 'sent') delete changed.due;
  return changed;
}

/** What a person did with a mail: the first time counts. */
const FIRSTS: Partial<Record<FeedbackType, 'openedAt' | 'clickedAt' | 'unsubscribedAt'>> = {
  open: 'openedAt',
  click: 'clickedAt',
  unsubscribe: 'unsubscribedAt',
};

/** Why the address must not be written to any more, if so: permanent bounces and complaints only. */
export function suppressionOf(feedback: Feedback): 'bounced' | 'complained' | undefined {
  if (feedback.type === 'complaint') return 'complained';
  return feedback.type === 'bounce' && feedback.bounce?.type === 'Permanent' ? 'bounced' : undefined;
}

/** Whether it is a bounce that may pass; an undetermined one is taken for such. */
export function isSoftBounce(feedback: Feedback): boolean {
  return feedback.type === 'bounce' && feedback.bounce?.type !== 'Permanent';
}

/** When settings do not say otherwise. */
export const SOFT_BOUNCES: SoftBounces = { most: 5, over: '14d' };

/**
 * Since when an address is given up after bounces that may pass; undefined while it is not. It is when the latest mails
 * to it, at least `most` of them and with at least `over` between the first and the last, have all soft-bounced. A
 * delivered mail (also one that bounced softly besides, as answering machines do) begins the count anew; what was
 * rejected, bounced for good or is merely delayed says nothing of a mailbox that may recover. Only messages whose
 * `sentTo` is the address are looked at, by the instant of their claim. A function of the messages alone, so any order
 * of reports ends the same, and a delivery that is heard of late takes the retirement back.
 */
export function retiredSince(messages: Message[], address: string, policy: SoftBounces): number | undefined {
  const instant = ({ claimedAt, plannedAt }: Message): number => claimedAt ?? plannedAt;
  const latestFirst = messages
    .filter(
      ({ sentTo, delivery }) => sentTo === address && /^(soft-bounced|delivered|complained)$/.test(delivery ?? ''),
    )
    .sort((a, b) => instant(b) - instant(a) || (a.id < b.id ? 1 : -1));
  const end = latestFirst.findIndex(({ delivery }) => delivery !== 'soft-bounced');
  const streak = (end === -1 ? latestFirst : latestFirst.slice(0, end)).map(instant).reverse();
  const enough = (streak[0] ?? 0) + durationMs(policy.over);
  return streak.find((at, index) => index + 1 >= policy.most && at >= enough);
}

function faultOf(error: z.ZodError, value: unknown): Fault {
  const issue = error.issues[0]!;
  let found: unknown = value;
  for (const key of issue.path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return {
    code: 'feedback.shape',
    path: sayPath(issue.path),
    message: `${kindOf(found)} does not fit: ${issue.message}.`,
    received: kindOf(found),
  };
}
