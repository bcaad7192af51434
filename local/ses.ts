// SES v2: takes e-mails into a mailbox that opens in a browser, and speaks of them on the default bus as SES does.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Events } from './events.ts';
import { Recipients } from './recipients.ts';
import type { Answer, Call } from './service.ts';
import { ServiceError } from './service.ts';
import type { SesAccount } from './ses-account.ts';
import { Account, SIMULATOR } from './ses-account.ts';
import type { Happening, Mail } from './ses-events.ts';
import { bareAddress, courseOf, eventOf, outcomeOf } from './ses-events.ts';
import type { ConfigurationSetResource } from './template.ts';
import { ACCOUNT, REGION } from './template.ts';
import type { Troubles } from './trouble.ts';
import type { Work } from './work.ts';

export interface Mailbox {
  /** The viewer's address. */
  url: string;
  /** Every accepted e-mail, oldest first. */
  list(): Promise<Mail[]>;
  count(): number;
  clear(): Promise<void>;
}

interface NameValue {
  Name: string;
  Value: string;
}
interface Sending {
  FromEmailAddress?: string;
  ReplyToAddresses?: string[];
  Destination?: { ToAddresses?: string[]; CcAddresses?: string[]; BccAddresses?: string[] };
  Content?: {
    Simple?: {
      Subject?: { Data?: string };
      Body?: { Html?: { Data?: string }; Text?: { Data?: string } };
      Headers?: NameValue[];
    };
    Raw?: unknown;
    Template?: unknown;
  };
  EmailTags?: NameValue[];
  ConfigurationSetName?: string;
}

/** What the viewer's own store keeps of a mail; it shows the newest of ours. */
interface ViewerStore {
  saveEmail(mail: object): void;
  clearStore(): void;
  getStoreReadonly(): { emails: unknown[] };
}

/** The viewer reads everything that it has once a second: it gets the newest mails only. */
const MOST_IN_VIEWER = 300;

type Packed = Omit<Mail, 'html' | 'text'> & { packed: Buffer };

/** The SES of one laptop. */
export class Ses {
  readonly #sets: Map<string, ConfigurationSetResource>;
  readonly #now: () => number;
  readonly #events: () => Events;
  readonly #troubles: Troubles;
  readonly #work: Work;
  readonly #viewer: ViewerStore;
  readonly #server: Server;
  readonly #shown: (html: string) => string;
  #mails: Packed[] = [];
  readonly #suppressed = new Map<string, 'BOUNCE' | 'COMPLAINT'>();
  readonly account: Account;
  readonly recipients = new Recipients();

  private constructor(server: Server, viewer: ViewerStore, options: SesOptions) {
    this.#server = server;
    this.#viewer = viewer;
    this.#sets = new Map(options.sets.map((set) => [set.name, set]));
    this.#now = options.now;
    this.account = new Account(options.now, options.account);
    this.#events = options.events;
    this.#troubles = options.troubles;
    this.#work = options.work;
    this.#shown = options.shown ?? ((html) => html);
  }

  /** Starts the viewer on a free port. */
  static async start(options: SesOptions): Promise<Ses> {
    const { listen, store } = loadViewer();
    // Its own SendEmail is not called: it keeps neither tags nor the laptop's time. Our mails go to its store.
    const server = await listen({ host: '127.0.0.1', port: 0 });
    server.unref();
    return new Ses(server, store, options);
  }

  get mailbox(): Mailbox {
    return {
      url: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`,
      list: async () => this.#mails.map(unpack),
      count: () => this.#mails.length,
      clear: async () => {
        this.#mails = [];
        this.#viewer.clearStore();
      },
    };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** One call of the REST protocol. Throws ServiceError. */
  call({ method, path, body }: Call): Answer {
    const { state } = this.account;
    const [kind, name, part] = path.replace(/^\/v2\/email\//, '').split('/');
    const input = (body.length === 0 ? {} : JSON.parse(body.toString())) as Record<string, unknown>;
    const rest = decodeURIComponent(name ?? '');
    switch (`${method} ${kind}`) {
      case 'POST outbound-emails':
        return json(this.#send(input as Sending));
      case 'GET account':
        return json({
          DedicatedIpAutoWarmupEnabled: false,
          EnforcementStatus: state.enforcement,
          ProductionAccessEnabled: state.production,
          SendingEnabled: state.sendingEnabled && state.enforcement !== 'SHUTDOWN',
          SendQuota: {
            Max24HourSend: state.max24HourSend,
            MaxSendRate: state.maxSendRate,
            SentLast24Hours: this.account.sent,
          },
          SuppressionAttributes: { SuppressedReasons: ['BOUNCE', 'COMPLAINT'] },
        });
      case 'PUT account':
        if (rest === 'sending') state.sendingEnabled = input.SendingEnabled !== false;
        return json({});
      case 'GET identities': {
        const verified = !this.account.mayNotSend(rest);
        const status = verified ? 'SUCCESS' : 'FAILED';
        return json({
          IdentityType: rest.includes('@') ? 'EMAIL_ADDRESS' : 'DOMAIN',
          VerifiedForSendingStatus: verified,
          VerificationStatus: status,
          DkimAttributes: { SigningEnabled: true, Status: status },
          MailFromAttributes: {
            MailFromDomain: `mail.${rest}`,
            MailFromDomainStatus: 'SUCCESS',
            BehaviorOnMxFailure: 'USE_DEFAULT_VALUE',
          },
        });
      }
      case 'GET configuration-sets':
        return json({ ConfigurationSetName: rest, SendingOptions: { SendingEnabled: this.#set(rest).sending } });
      case 'PUT configuration-sets':
        if (part !== 'sending') break;
        this.#set(rest).sending = input.SendingEnabled !== false;
        return json({});
      case 'PUT suppression':
        this.#suppressed.set(
          String(input.EmailAddress).toLowerCase(),
          input.Reason === 'COMPLAINT' ? 'COMPLAINT' : 'BOUNCE',
        );
        return json({});
      case 'GET suppression':
      case 'DELETE suppression': {
        const address = decodeURIComponent(part ?? '').toLowerCase();
        const reason = this.#suppressed.get(address);
        if (reason === undefined)
          throw new ServiceError('NotFoundException', 'Email address does not exist on your suppression list.', 404);
        if (method === 'DELETE') {
          this.#suppressed.delete(address);
          return json({});
        }
        return json({
          SuppressedDestination: { EmailAddress: address, Reason: reason, LastUpdateTime: this.#now() / 1000 },
        });
      }
    }
    throw new ServiceError('UnknownOperationException', `The laptop's SES does not know ${method} ${kind}.`, 404);
  }

  #set(name: string): ConfigurationSetResource {
    const set = this.#sets.get(name);
    if (set === undefined || this.account.state.missingSets.includes(name))
      throw new ServiceError('NotFoundException', `Configuration set <${name}> does not exist.`, 404);
    return set;
  }

  #send(input: Sending): { MessageId: string } {
    const { Simple } = input.Content ?? {};
    if (Simple === undefined) {
      throw new ServiceError(
        'BadRequestException',
        "The laptop's SES knows simple content only, neither raw nor template.",
      );
    }
    const destination = input.Destination ?? {};
    const to = [
      ...(destination.ToAddresses ?? []),
      ...(destination.CcAddresses ?? []),
      ...(destination.BccAddresses ?? []),
    ];
    checkSending(input, to);
    const set = input.ConfigurationSetName === undefined ? undefined : this.#set(input.ConfigurationSetName);
    if (set?.sending === false) throw new ServiceError('SendingPausedException', 'Email sending is disabled.');
    this.account.check(input.FromEmailAddress!, to);
    this.account.accept(to.length);
    const id = `0100${randomBytes(6).toString('hex')}-${randomUUID()}-000000`;
    const address = bareAddress(to[0]!);
    const course = courseOf(this.#becomes(address));
    const mail: Mail = {
      id,
      at: this.#now(),
      from: input.FromEmailAddress!,
      to,
      replyTo: input.ReplyToAddresses ?? [],
      subject: Simple.Subject?.Data ?? '',
      ...(Simple.Body?.Html?.Data !== undefined && { html: Simple.Body.Html.Data }),
      ...(Simple.Body?.Text?.Data !== undefined && { text: Simple.Body.Text.Data }),
      headers: (Simple.Headers ?? []).map(({ Name, Value }) => ({ name: Name, value: Value })),
      tags: Object.fromEntries((input.EmailTags ?? []).map(({ Name, Value }) => [Name, Value])),
      ...(set !== undefined && { configurationSet: set.name }),
      outcome: outcomeOf(course),
    };
    this.#keep(mail);
    if (set !== undefined) for (const happening of course) this.#tell(set, mail, happening);
    return { MessageId: id };
  }

  #becomes(address: string): Happening | readonly Happening[] {
    const [local = '', domain] = address.split('@');
    if (domain !== SIMULATOR) {
      if (this.#suppressed.has(address)) {
        return { kind: 'bounce', type: 'Permanent', subType: 'OnAccountSuppressionList' };
      }
      return this.recipients.decide(address) ?? { kind: 'deliver' };
    }
    const name = local.replace(/\+.*$/, '');
    if (name === 'bounce') return { kind: 'bounce' };
    if (name === 'complaint') return { kind: 'complain' };
    if (name === 'suppressionlist') return { kind: 'bounce', subType: 'Suppressed' };
    return { kind: 'deliver' };
  }

  #keep(mail: Mail): void {
    const { html, text, ...rest } = mail;
    // Bodies are most of the weight, and read seldom.
    this.#mails.push({ ...rest, packed: deflateRawSync(JSON.stringify({ html, text }), { level: 1 }) });
    this.#viewer.saveEmail({
      messageId: mail.id,
      from: mail.from,
      replyTo: mail.replyTo,
      destination: { to: mail.to, cc: [], bcc: [] },
      subject: mail.subject,
      body: { html: html === undefined ? html : this.#shown(html), text },
      attachments: [],
      headers: mail.headers,
      at: Math.floor(mail.at / 1000),
    });
    const { emails } = this.#viewer.getStoreReadonly();
    if (emails.length > MOST_IN_VIEWER) emails.splice(0, emails.length - MOST_IN_VIEWER);
  }

  // ---- events ----

  /** Says that something happens now to a mail. False when there is no such mail, or its set does not tell of it. */
  react(id: string, happening: Happening): boolean {
    const packed = this.#mails.find((mail) => mail.id === id);
    const set = packed?.configurationSet === undefined ? undefined : this.#sets.get(packed.configurationSet);
    if (packed === undefined || set === undefined) return false;
    return this.#tell(set, unpack(packed), happening);
  }

  #tell(set: ConfigurationSetResource, mail: Mail, happening: Happening | { kind: 'send' }): boolean {
    const event = eventOf(set.name, mail, happening, this.#now());
    if (!set.publishes.has(event.type)) return false;
    const publish = () => {
      const end = this.#work.begin();
      // After the answer to SendEmail, as it mostly is.
      setImmediate(() => {
        this.#events().publish('default', {
          source: 'aws.ses',
          'detail-type': event.detailType,
          detail: event.detail,
          resources: [`arn:aws:ses:${REGION}:${ACCOUNT}:configuration-set/${set.name}`],
        });
        end();
      });
    };
    const trouble = this.#troubles.meet(`event:${event.detail.eventType}`);
    if (trouble?.kind === 'lose') return true;
    if (trouble?.kind === 'delay') {
      trouble.hold(publish);
      return true;
    }
    for (let copy = trouble?.kind === 'repeat' ? trouble.copies : 1; copy > 0; copy--) publish();
    return true;
  }
}

interface SesOptions {
  /** How the viewer shows a page; the mail itself stays as it was sent. */
  shown?: (html: string) => string;
  sets: ConfigurationSetResource[];
  now: () => number;
  /** The account's first state, where it is not the healthy one. */
  account?: Partial<SesAccount>;
  events: () => Events;
  troubles: Troubles;
  work: Work;
}
/** A fresh copy for each laptop: its store is one per module. */
function loadViewer(): { listen: (config: { host: string; port: number }) => Promise<Server>; store: ViewerStore } {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('aws-ses-v2-local'));
  for (const file of Object.keys(require.cache)) if (file.startsWith(folder)) delete require.cache[file];
  const { default: listen } = require('aws-ses-v2-local') as { default: (config: object) => Promise<Server> };
  return { listen, store: require(join(folder, 'store.js')) as ViewerStore };
}

function unpack({ packed, ...rest }: Packed): Mail {
  return { ...rest, ...(JSON.parse(inflateRawSync(packed).toString()) as { html?: string; text?: string }) };
}

function checkSending(input: Sending, to: string[]): void {
  const refuse = (message: string) => {
    throw new ServiceError('BadRequestException', message);
  };
  const { Simple } = input.Content!;
  if (!input.FromEmailAddress) refuse("Missing required header 'From'.");
  if (to.length === 0) refuse('At least one recipient is required.');
  if (to.length > 50) refuse('Recipient count exceeds 50.');
  for (const address of [input.FromEmailAddress!, ...to, ...(input.ReplyToAddresses ?? [])]) {
    const bare = bareAddress(address);
    if (!/^[^\s@]+@[^\s@]+$/.test(bare)) refuse("Missing final '@domain'");
    if (/[^\x20-\x7e]/.test(bare.split('@')[0]!)) refuse('Local address contains control or whitespace');
    if (/[\r\n]/.test(address)) refuse('Invalid header value');
  }
  if (!Simple!.Body?.Html?.Data && !Simple!.Body?.Text?.Data) refuse('Nothing to send: the body is empty.');
  if (Simple!.Subject?.Data === undefined) refuse('Missing subject.');
  if ((Simple!.Headers ?? []).length > 15) refuse('More than 15 headers.');
  for (const { Name, Value } of Simple!.Headers ?? []) {
    if (!/^[!-9;-@A-~]{1,126}$/.test(Name)) refuse('Invalid header name.');
    if (!/^[ -~]{0,870}$/.test(Value)) refuse('Invalid header value.');
  }
  if ((input.EmailTags ?? []).length > 50) refuse('More than 50 tags.');
  for (const { Name, Value } of input.EmailTags ?? []) {
    if (!/^[A-Za-z0-9_-]{1,256}$/.test(Name) || !/^[A-Za-z0-9_-]{1,256}$/.test(Value)) {
      refuse("Tag names and values hold letters, digits, '_' and '-' only.");
    }
  }
}

const json = (value: object): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
