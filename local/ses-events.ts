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
  outcome: 'delivered' | 'bounced' | 'complained' | 'suppressed';
}

/** What becomes of an accepted e-mail. */
export type Outcome = { kind: 'delivered' | 'bounced' | 'complained' } | { kind: 'suppressed'; subType: string };

export type Reaction = { kind: 'open' } | { kind: 'click'; link: string };

export interface SesEvent {
  /** As a configuration set names it: `SEND`, `DELIVERY` … */
  type: string;
  detailType: string;
  detail: { eventType: string } & Record<string, unknown>;
}

/** Everything that SES says of an e-mail by itself, in order. */
export function eventsOf(configurationSet: string, mail: Mail, outcome: Outcome): SesEvent[] {
  const said = mailObject(configurationSet, mail);
  const at = new Date(mail.at).toISOString();
  const recipient = bareAddress(mail.to[0]!);
  const feedbackId = `${mail.id}-feedback`;
  const sent: SesEvent = {
    type: 'SEND',
    detailType: 'Email Sent',
    detail: { eventType: 'Send', mail: said, send: {} },
  };
  if (outcome.kind === 'bounced' || outcome.kind === 'suppressed') {
    const bounce = {
      bounceType: 'Permanent',
      bounceSubType: outcome.kind === 'suppressed' ? outcome.subType : 'General',
      bouncedRecipients: [
        {
          emailAddress: recipient,
          action: 'failed',
          status: '5.1.1',
          diagnosticCode: 'smtp; 550 5.1.1 user unknown',
        },
      ],
      timestamp: at,
      feedbackId,
      reportingMTA: 'dsn; laptop.amazonses.com',
    };
    return [sent, { type: 'BOUNCE', detailType: 'Email Bounced', detail: { eventType: 'Bounce', mail: said, bounce } }];
  }
  const delivery = {
    timestamp: at,
    processingTimeMillis: 1,
    recipients: [recipient],
    smtpResponse: '250 2.6.0 Message received',
    reportingMTA: 'laptop.amazonses.com',
  };
  const delivered: SesEvent = {
    type: 'DELIVERY',
    detailType: 'Email Delivered',
    detail: { eventType: 'Delivery', mail: said, delivery },
  };
  if (outcome.kind !== 'complained') return [sent, delivered];
  const complaint = {
    complainedRecipients: [{ emailAddress: recipient }],
    timestamp: at,
    feedbackId,
    userAgent: 'Amazon SES Mailbox Simulator',
    complaintFeedbackType: 'abuse',
    arrivalDate: at,
  };
  const complained: SesEvent = {
    type: 'COMPLAINT',
    detailType: 'Email Complaint Received',
    detail: { eventType: 'Complaint', mail: said, complaint },
  };
  return [sent, delivered, complained];
}

/** What SES says when a recipient opens an e-mail or clicks in it, at an instant. */
export function reactionOf(configurationSet: string, mail: Mail, reaction: Reaction, instant: number): SesEvent {
  const said = mailObject(configurationSet, mail);
  const details = { ipAddress: '192.0.2.1', timestamp: new Date(instant).toISOString(), userAgent: 'Mozilla/5.0' };
  if (reaction.kind === 'open') {
    return { type: 'OPEN', detailType: 'Email Opened', detail: { eventType: 'Open', mail: said, open: details } };
  }
  const click = { ...details, link: reaction.link, linkTags: null };
  return { type: 'CLICK', detailType: 'Email Clicked', detail: { eventType: 'Click', mail: said, click } };
}

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
