// What SES reports of a message: read from its EventBridge events, and folded into the message in any order.
import * as z from 'zod';
import type { EventBridgeEvent } from './event.ts';
import { type Fault, sayPath } from './fault.ts';
import { kindOf } from './fields.ts';
import type { Delivery, Message } from './message.ts';

export type FeedbackType =
  | 'send'
  | 'delivery'
  | 'delay'
  | 'bounce'
  | 'complaint'
  | 'reject'
  | 'open'
  | 'click'
  | 'rendering-failure';

export interface Feedback {
  type: FeedbackType;
  /** Our message, contact and campaign, from the tags. */
  message: string;
  contact: string;
  campaign?: string;
  /** When it happened, epoch milliseconds. */
  at: number;
  /** When SES took the mail; the same in all events of one mail. */
  sentAt: number;
  sesId: string;
  bounce?: { type: 'Permanent' | 'Transient' | 'Undetermined'; subType: string };
  /** An open or a click of a machine, by SES's reading. */
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
const KNOWN = new Set(Detail.def.options.map((option) => option.shape.eventType.value as string));

/**
 * What an SES event says of one of our messages; `ignored` for what is no news of ours (subscriptions, other senders'
 * mail, reports that a mail was *not* spam); a fault for what cannot be read. Never throws; quotes no address.
 */
export function readFeedback(event: EventBridgeEvent): { feedback: Feedback } | { fault: Fault } | { ignored: string } {
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
  const of = (type: FeedbackType, timestamp?: string): Feedback => ({
    type,
    message,
    contact,
    ...(campaign === undefined ? {} : { campaign }),
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

/** SES marks what machines opened and clicked; by which name is not documented, so any such mark counts. */
function automatedOf(action: Record<string, unknown>): { automated?: true } {
  return Object.entries(action).some(([key, value]) => value === true && /automat|machine|bot/i.test(key))
    ? { automated: true }
    : {};
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
 * and clicks prove only that. Returns the same object when nothing changes.
 */
export function applyFeedback(message: Message, feedback: Feedback): Message {
  const changes: Partial<Message> = {};
  const open = message.state === 'ready' || message.state === 'claimed' || message.state === 'uncertain';
  if (open) changes.state = 'sent';
  if (open || message.state === 'sent') {
    if (message.sesId === undefined) changes.sesId = feedback.sesId;
    if (message.sentAt === undefined) changes.sentAt = feedback.sentAt;
  }
  const delivery = deliveryOf(feedback);
  if (delivery !== undefined && SEVERITY[delivery] > (message.delivery ? SEVERITY[message.delivery] : 0)) {
    changes.delivery = delivery;
  }
  if (!feedback.automated) {
    if (feedback.type === 'open' && feedback.at < (message.openedAt ?? Number.POSITIVE_INFINITY)) {
      changes.openedAt = feedback.at;
    }
    if (feedback.type === 'click' && feedback.at < (message.clickedAt ?? Number.POSITIVE_INFINITY)) {
      changes.clickedAt = feedback.at;
    }
  }
  if (Object.keys(changes).length === 0) return message;
  const changed = { ...message, ...changes };
  if (changed.state === 'sent') delete changed.due;
  return changed;
}

/** Why the address must not be written to any more, if so: permanent bounces and complaints only. */
export function suppressionOf(feedback: Feedback): 'bounced' | 'complained' | undefined {
  if (feedback.type === 'complaint') return 'complained';
  return feedback.type === 'bounce' && feedback.bounce?.type === 'Permanent' ? 'bounced' : undefined;
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
