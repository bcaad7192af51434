// What SES says of an e-mail on the default bus, in its exact shapes.
import { ACCOUNT, REGION } from './template.ts';

/** An accepted e-mail. */
export interface Mail {
  id: string;
  /** Virtual epoch milliseconds. */
  at: number;
  from: string;
  to: string[];
  replyTo: string[];
  subject: string;
  html?: string;
  text?: string;
  headers: { name: string; value: string }[];
  tags: Record<string, string>;
  configurationSet?: string;
  /** What became of it at once. */
  outcome: Outcome;
}

export type Outcome = 'delivered' | 'delayed' | 'soft-bounced' | 'bounced' | 'complained' | 'suppressed' | 'rejected';

/** Something that SES tells about an accepted e-mail. */
export type Happening =
  | { kind: 'deliver' }
  /** Permanent and General unless told; SES's sub-types: General, NoEmail, Suppressed, OnAccountSuppressionList, MailboxFull, MessageTooLarge, ContentRejected, AttachmentRejected, Undetermined. */
  | { kind: 'bounce'; type?: 'Permanent' | 'Transient' | 'Undetermined'; subType?: string }
  /** `abuse` unless told. */
  | { kind: 'complain'; feedbackType?: string }
  /** `TransientCommunicationFailure` unless told. */
  | { kind: 'delay'; type?: string }
  | { kind: 'reject' }
  | { kind: 'rendering-failure' }
  /** `marks` are further members of the event's `open` or `click`, such as those that tell machines from people. */
  | { kind: 'open'; marks?: Record<string, unknown> }
  | { kind: 'click'; link: string; marks?: Record<string, unknown> };

export interface SesEvent {
  /** As a configuration set names it: `SEND`, `DELIVERY` … */
  type: string;
  detailType: string;
  detail: { eventType: string } & Record<string, unknown>;
}

/** Everything that becomes of an e-mail by itself: it is sent first, where SES does not fail to render it. */
export function courseOf(does: Happening | readonly Happening[]): (Happening | { kind: 'send' })[] {
  if (Array.isArray(does)) return [{ kind: 'send' }, ...(does as readonly Happening[])];
  const one = does as Happening;
  if (one.kind === 'rendering-failure') return [one];
  const afterDelivery = one.kind === 'complain' || one.kind === 'open' || one.kind === 'click';
  return [{ kind: 'send' }, ...(afterDelivery ? [{ kind: 'deliver' } as const] : []), one];
}

/** In one word, what the last of its happenings made of an e-mail. */
export function outcomeOf(course: readonly { kind: string; type?: string; subType?: string }[]): Outcome {
  const last = course.findLast(({ kind }) => kind !== 'open' && kind !== 'click');
  switch (last?.kind) {
    case 'bounce':
      if ((last.type ?? 'Permanent') !== 'Permanent') return 'soft-bounced';
      return /suppress/i.test(last.subType ?? '') ? 'suppressed' : 'bounced';
    case 'complain':
      return 'complained';
    case 'delay':
      return 'delayed';
    case 'reject':
    case 'rendering-failure':
      return 'rejected';
    default:
      return 'delivered';
  }
}

/** What SES says when something happens to an e-mail, at an instant. */
export function eventOf(
  configurationSet: string,
  mail: Mail,
  happening: Happening | { kind: 'send' },
  instant: number,
): SesEvent {
  const said = mailObject(configurationSet, mail);
  const timestamp = new Date(instant).toISOString();
  const recipient = bareAddress(mail.to[0]!);
  const feedbackId = `${mail.id}-feedback`;
  const event = (type: string, detailType: string, eventType: string, part: Record<string, unknown>): SesEvent => ({
    type,
    detailType,
    detail: { eventType, mail: said, ...part },
  });
  const person = { ipAddress: '192.0.2.1', timestamp, userAgent: 'Mozilla/5.0' };
  switch (happening.kind) {
    case 'send':
      return event('SEND', 'Email Sent', 'Send', { send: {} });
    case 'deliver':
      return event('DELIVERY', 'Email Delivered', 'Delivery', {
        delivery: {
          timestamp,
          processingTimeMillis: 1,
          recipients: [recipient],
          smtpResponse: '250 2.6.0 Message received',
          reportingMTA: 'laptop.amazonses.com',
        },
      });
    case 'bounce': {
      const { type = 'Permanent', subType = 'General' } = happening;
      const hard = type === 'Permanent';
      return event('BOUNCE', 'Email Bounced', 'Bounce', {
        bounce: {
          bounceType: type,
          bounceSubType: subType,
          bouncedRecipients: [
            {
              emailAddress: recipient,
              action: 'failed',
              status: hard ? '5.1.1' : '4.2.2',
              diagnosticCode: hard ? 'smtp; 550 5.1.1 user unknown' : 'smtp; 452 4.2.2 the mailbox takes no mail now',
            },
          ],
          timestamp,
          feedbackId,
          reportingMTA: 'dsn; laptop.amazonses.com',
        },
      });
    }
    case 'complain':
      return event('COMPLAINT', 'Email Complaint Received', 'Complaint', {
        complaint: {
          complainedRecipients: [{ emailAddress: recipient }],
          timestamp,
          feedbackId,
          userAgent: 'Amazon SES Mailbox Simulator',
          complaintFeedbackType: happening.feedbackType ?? 'abuse',
          arrivalDate: timestamp,
        },
      });
    case 'delay':
      return event('DELIVERY_DELAY', 'Email Delivery Delayed', 'DeliveryDelay', {
        deliveryDelay: {
          timestamp,
          delayType: happening.type ?? 'TransientCommunicationFailure',
          expirationTime: new Date(mail.at + GIVES_UP_AFTER).toISOString(),
          delayedRecipients: [
            {
              emailAddress: recipient,
              status: '4.4.1',
              diagnosticCode: 'smtp; 421 4.4.1 Unable to connect to remote host',
            },
          ],
        },
      });
    case 'reject':
      return event('REJECT', 'Email Rejected', 'Reject', { reject: { reason: 'Bad content' } });
    case 'rendering-failure':
      return event('RENDERING_FAILURE', 'Email Rendering Failed', 'Rendering Failure', {
        failure: { templateName: 'laptop', errorMessage: "Attribute 'name' is not present in the rendering data." },
      });
    case 'open':
      return event('OPEN', 'Email Opened', 'Open', { open: { ...person, ...happening.marks } });
    case 'click': {
      const { link, marks } = happening;
      return event('CLICK', 'Email Clicked', 'Click', { click: { ...person, link, linkTags: null, ...marks } });
    }
    default:
      return happening satisfies never;
  }
}

/** SES tries for 14 hours. */
const GIVES_UP_AFTER = 14 * 3_600_000;

/** `Name <a@b>` → `a@b`, small. */
export const bareAddress = (address: string): string =>
  (/<([^>]*)>\s*$/.exec(address)?.[1] ?? address).trim().toLowerCase();

/** The `mail` of every event about one e-mail. */
function mailObject(configurationSet: string, mail: Mail): object {
  const lists = (values: Record<string, string>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]]));
  return {
    timestamp: new Date(mail.at).toISOString(),
    source: mail.from,
    sourceArn: `arn:aws:ses:${REGION}:${ACCOUNT}:identity/${bareAddress(mail.from)}`,
    sendingAccountId: ACCOUNT,
    messageId: mail.id,
    destination: mail.to,
    headersTruncated: false,
    headers: [
      { name: 'From', value: mail.from },
      { name: 'To', value: mail.to.join(', ') },
      { name: 'Subject', value: mail.subject },
      { name: 'MIME-Version', value: '1.0' },
      ...mail.headers,
    ],
    commonHeaders: { from: [mail.from], to: mail.to, messageId: mail.id, subject: mail.subject },
    tags: {
      ...lists({
        'ses:operation': 'SendEmail',
        'ses:configuration-set': configurationSet,
        'ses:source-ip': '127.0.0.1',
        'ses:from-domain': bareAddress(mail.from).split('@')[1] ?? '',
        'ses:caller-identity': 'laptop',
      }),
      ...lists(mail.tags),
    },
  };
}
