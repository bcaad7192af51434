// SES v2: one attempt per message, and what its answer means.
import { SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2';

export interface Mail {
  message: string;
  contact: string;
  campaign: string;
  from: { name: string; address: string };
  replyTo?: string;
  to: string;
  subject: string;
  html: string;
  text: string;
  /** The one-click unsubscribe address, where the mail must have one. */
  unsubscribe?: string;
  /** Whether SES may tell of its opens. */
  tracked?: boolean;
}

export type Answer =
  | { kind: 'accepted'; id: string }
  /** It may have been accepted: timeout, reset, 5xx. Only feedback can say. */
  | { kind: 'unknown'; reason: string }
  /** Not accepted; try again after so many milliseconds. */
  | { kind: 'later'; after: number; reason: string }
  /** Nothing can be sent until somebody mends it. */
  | { kind: 'stop'; reason: string }
  /** This mail is refused for good. */
  | { kind: 'never'; reason: string };

const QUOTA_WAIT = 15 * 60_000;

export class Mailer {
  readonly #client: SESv2Client;
  readonly #configurationSet: string;
  readonly #tracked: string;

  /** @param tracked the configuration set that tells of opens; the other one does where there is none. */
  constructor(configurationSet: string, client: SESv2Client = sesClient(), tracked: string = configurationSet) {
    this.#configurationSet = configurationSet;
    this.#client = client;
    this.#tracked = tracked;
  }

  /** Sends once; never throws. */
  async send(mail: Mail): Promise<Answer> {
    const utf8 = (Data: string) => ({ Data, Charset: 'UTF-8' });
    const headers =
      mail.unsubscribe === undefined
        ? []
        : [
            { Name: 'List-Unsubscribe', Value: `<${mail.unsubscribe}>` },
            { Name: 'List-Unsubscribe-Post', Value: 'List-Unsubscribe=One-Click' },
          ];
    try {
      const answer = await this.#client.send(
        new SendEmailCommand({
          FromEmailAddress: mailbox(mail.from.name, mail.from.address),
          ...(mail.replyTo !== undefined && { ReplyToAddresses: [mail.replyTo] }),
          Destination: { ToAddresses: [mail.to] },
          Content: {
            Simple: {
              Subject: utf8(oneLine(mail.subject)),
              Body: { Html: utf8(mail.html), Text: utf8(mail.text) },
              ...(headers.length > 0 && { Headers: headers }),
            },
          },
          EmailTags: [
            { Name: 'kairos-message', Value: mail.message },
            { Name: 'kairos-contact', Value: mail.contact },
            { Name: 'kairos-campaign', Value: mail.campaign },
          ],
          ConfigurationSetName: mail.tracked === true ? this.#tracked : this.#configurationSet,
        }),
      );
      if (answer.MessageId === undefined || answer.MessageId === '') return { kind: 'unknown', reason: 'no-id' };
      return { kind: 'accepted', id: answer.MessageId };
    } catch (error) {
      return answerOf(error, mail.from.address);
    }
  }
}

/** One attempt, and an end to waiting: a second post could be a second mail. */
export function sesClient(): SESv2Client {
  return new SESv2Client({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
  });
}

const STOP = new Set([
  'AccountSuspendedException',
  'SendingPausedException',
  'AccountSendingPausedException',
  'ConfigurationSetSendingPausedException',
  'MailFromDomainNotVerifiedException',
  'NotFoundException',
  'AccessDeniedException',
  'AccessDenied',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'ExpiredTokenException',
  'CredentialsProviderError',
]);
const LATER = new Set(['TooManyRequestsException', 'ThrottlingException', 'Throttling', 'LimitExceededException']);
/** The connection was never made, so nothing was posted. */
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** What an error of SES says about the mail. `from` tells our own unverified identity from a sandboxed recipient. */
export function answerOf(error: unknown, from: string): Answer {
  const { name, message, code, $metadata } = error as {
    name?: string;
    message?: string;
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const reason = name ?? 'Error';
  if (STOP.has(reason)) return { kind: 'stop', reason };
  if (LATER.has(reason)) {
    const daily = reason === 'LimitExceededException' || /daily/i.test(message ?? '');
    return { kind: 'later', after: daily ? QUOTA_WAIT : 1_000 + Math.random() * 9_000, reason };
  }
  if (code !== undefined && UNSENT.has(code)) return { kind: 'later', after: 5_000, reason: code };
  if (status === undefined || status >= 500) return { kind: 'unknown', reason };
  if (status === 429) return { kind: 'later', after: 5_000, reason };
  // So SES words it where it paused the account for its reputation: nothing is wrong with the mail.
  if (reason === 'MessageRejected' && /sending (?:is )?paused/i.test(message ?? '')) {
    return { kind: 'stop', reason: 'sending-paused' };
  }
  if (reason === 'MessageRejected' && /not verified/i.test(message ?? '')) {
    const domain = from.slice(from.indexOf('@') + 1);
    const ours =
      (message ?? '').includes(from) || new RegExp(`[\\s:,]${escaped(domain)}(?:[\\s,]|$)`).test(message ?? '');
    return ours ? { kind: 'stop', reason: 'sender-not-verified' } : { kind: 'never', reason: 'sandbox' };
  }
  return { kind: 'never', reason };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** A text that fits into a header: no line breaks, no control characters. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, ' ').trim();
}

/** `"Name" <address>`, the name quoted, or as encoded words where it is not ASCII. */
export function mailbox(name: string, address: string): string {
  const clean = oneLine(name);
  if (clean === '') return address;
  if (/^[\x20-\x7e]*$/.test(clean)) return `"${clean.replace(/["\\]/g, '\\$&')}" <${address}>`;
  const words: string[] = [];
  let word = '';
  for (const character of clean) {
    if (Buffer.byteLength(word + character) > 42) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  words.push(word);
  return `${words.map((each) => `=?UTF-8?B?${Buffer.from(each).toString('base64')}?=`).join(' ')} <${address}>`;
}
