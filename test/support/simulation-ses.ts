// SES in the simulation: so many a second, a quota, answers that get lost, and events that come late, twice or never.
import type { SESv2Client, SendEmailCommandInput } from '@aws-sdk/client-sesv2';
import type { Latency, Process, Simulation } from './simulation.ts';
import { silence } from './simulation-queues.ts';

export interface SesChances {
  /** Taken, and the answer is lost. */
  acceptedUnheard: number;
  /** Not taken, and the answer is lost, or a 5xx. */
  refusedUnheard: number;
  /** Throttled although there is room. */
  throttled: number;
  /** Of mails: none of its events ever comes. */
  silent: number;
  /** Of events: lost; come once more; come minutes late. */
  lost: number;
  repeated: number;
  late: number;
}

/** One mail that SES took. */
export interface Attempt {
  at: number;
  /** The table was told that it is sent, by its caller or by an event. */
  settled: boolean;
  /** When the first event about it came to the queue. */
  news?: number;
}

export interface Account {
  maxRate: number;
  max24h: number;
  sent24h: number;
  enforcement: 'HEALTHY' | 'PROBATION' | 'SHUTDOWN';
  sendingEnabled: boolean;
}

/** Which mails bounce, complain and click: shares. */
export interface Fortunes {
  bounce: number;
  complaint: number;
  click: number;
}

const SES: Latency = { there: [4, 25], back: [15, 90], slow: 0.01, tail: [200, 3_000] };
const LATE = 9 * 60_000;
/** The client gives up after ten seconds. */
const GIVES_UP: Latency = { there: [4, 25], back: [10_000, 10_000] };

export class SimulatedSes {
  readonly #simulation: Simulation;
  readonly #deliver: (body: string) => void;
  readonly chances: SesChances;
  readonly account: Account;
  fortunes: (campaign: string, provider: string) => Fortunes;
  /** No event arrives until then; those of the time between come within so many milliseconds after, in any order. */
  silentUntil = 0;
  flood = 0;
  /** Calls by calendar second: also those that were refused for their number. */
  readonly bySecond = new Map<number, { calls: number; accepted: number; bulk: number }>();
  readonly #attempts = new Map<string, Attempt[]>();
  readonly count: Record<string, number> = {};
  /** Told of every accepted mail. */
  accepted: (mail: SendEmailCommandInput, campaign: string, message: string) => void = () => {};
  /** Told of whatever is worth a line in the history of a message. */
  note: (message: string, what: string) => void = () => {};
  #ids = 0;

  constructor(
    simulation: Simulation,
    options: {
      account: Account;
      chances: SesChances;
      fortunes: (campaign: string, provider: string) => Fortunes;
      deliver: (body: string) => void;
    },
  ) {
    this.#simulation = simulation;
    this.account = options.account;
    this.chances = options.chances;
    this.fortunes = options.fortunes;
    this.#deliver = options.deliver;
  }

  /** A client for one process: SendEmail and GetAccount. */
  client(process: Process): SESv2Client {
    const send = (command: { input: object }): Promise<unknown> => {
      if (command.constructor.name === 'GetAccountCommand') return process.call(SES, async () => this.#describe());
      const simulation = this.#simulation;
      const { acceptedUnheard, refusedUnheard } = this.chances;
      const fate = simulation.draw();
      const unheard = fate < acceptedUnheard;
      const refused = !unheard && fate < acceptedUnheard + refusedUnheard;
      const latency = (unheard || refused) && simulation.chance(0.4) ? GIVES_UP : SES;
      return process.call(latency, async () => this.#take(command.input as SendEmailCommandInput, unheard, refused));
    };
    return { send, destroy: () => {} } as unknown as SESv2Client;
  }

  /** Every time that SES took a message. */
  attemptsOf(message: string): Attempt[] {
    return this.#attempts.get(message) ?? [];
  }

  #take(mail: SendEmailCommandInput, unheard: boolean, refused: boolean): { MessageId: string } {
    const { account, chances } = this;
    const simulation = this.#simulation;
    const tags = Object.fromEntries((mail.EmailTags ?? []).map(({ Name, Value }) => [Name, Value]));
    const message = tags['kairos-message'] ?? '';
    const campaign = tags['kairos-campaign'] ?? '';
    const second = Math.floor(simulation.now / 1000);
    const load = this.bySecond.get(second) ?? { calls: 0, accepted: 0, bulk: 0 };
    this.bySecond.set(second, load);
    const fail = (what: string, error: Error): never => {
      this.count[what] = (this.count[what] ?? 0) + 1;
      this.note(message, `SES: ${what}`);
      throw error;
    };
    if (account.enforcement === 'SHUTDOWN' || !account.sendingEnabled) {
      return fail('paused', sesError('SendingPausedException', 'Sending is paused for this account'));
    }
    load.calls++;
    if (account.sent24h >= account.max24h) {
      return fail('quota', sesError('LimitExceededException', 'Daily message quota exceeded', 429));
    }
    if (load.accepted >= account.maxRate) {
      return fail('too fast', sesError('TooManyRequestsException', 'Maximum sending rate exceeded', 429));
    }
    if (simulation.chance(chances.throttled)) {
      return fail('throttled', sesError('TooManyRequestsException', 'Too many requests', 429));
    }
    if (refused) {
      return simulation.chance(0.5)
        ? fail('5xx', sesError('InternalServiceErrorException', 'Something went wrong', 500))
        : fail('lost on the way', silence());
    }
    load.accepted++;
    account.sent24h++;
    const attempt: Attempt = { at: simulation.now, settled: false };
    this.#attempts.set(message, [...this.attemptsOf(message), attempt]);
    const MessageId = `ses-${++this.#ids}`;
    this.accepted(mail, campaign, message);
    this.note(message, `SES: accepted as ${MessageId}${unheard ? ', and the answer is lost' : ''}`);
    this.#tell({ ...mail, id: MessageId }, tags, attempt);
    if (unheard) {
      this.count['accepted unheard'] = (this.count['accepted unheard'] ?? 0) + 1;
      throw silence();
    }
    return { MessageId };
  }

  #describe(): object {
    const { account } = this;
    return {
      SendingEnabled: account.sendingEnabled,
      ProductionAccessEnabled: true,
      EnforcementStatus: account.enforcement,
      SendQuota: { Max24HourSend: account.max24h, MaxSendRate: account.maxRate, SentLast24Hours: account.sent24h },
    };
  }

  #tell(
    mail: SendEmailCommandInput & { id: string },
    tags: Record<string, string | undefined>,
    attempt: Attempt,
  ): void {
    const simulation = this.#simulation;
    const at = simulation.now;
    if (simulation.chance(this.chances.silent)) {
      this.note(tags['kairos-message'] ?? '', 'all its events are lost');
      return;
    }
    const address = mail.Destination?.ToAddresses?.[0] ?? '';
    const fortunes = this.fortunes(tags['kairos-campaign'] ?? '', address.slice(address.indexOf('@') + 1));
    const fate = simulation.draw();
    const say = (eventType: string, after: number, part: (timestamp: string) => object = () => ({})): void => {
      const timestamp = new Date(Math.floor(at + after)).toISOString();
      const body = eventBody(mail, tags, at, eventType, timestamp, part(timestamp));
      this.#bring(body, after, attempt, tags['kairos-message'] ?? '', eventType);
    };
    say('Send', simulation.exponential(700));
    if (fate < fortunes.bounce) {
      say('Bounce', simulation.exponential(4_000), (timestamp) => ({
        bounce: { timestamp, bounceType: 'Permanent', bounceSubType: 'General' },
      }));
      return;
    }
    if (fate < fortunes.bounce + 0.01) {
      say('DeliveryDelay', simulation.exponential(4_000), (timestamp) => ({
        deliveryDelay: { timestamp, delayType: 'MailboxFull' },
      }));
    }
    const delivered = simulation.exponential(3_000);
    say('Delivery', delivered, (timestamp) => ({ delivery: { timestamp } }));
    if (simulation.chance(fortunes.complaint)) {
      say('Complaint', delivered + simulation.exponential(120_000), (timestamp) => ({ complaint: { timestamp } }));
    }
    if (simulation.chance(fortunes.click)) {
      say('Click', delivered + simulation.exponential(300_000), (timestamp) => ({
        click: { timestamp, link: 'https://shop.example/' },
      }));
    }
  }

  /** Through the default bus and its rule to the queue: best effort. */
  #bring(body: string, after: number, attempt: Attempt, message: string, eventType: string): void {
    const simulation = this.#simulation;
    const { lost, repeated, late } = this.chances;
    let copies = simulation.chance(repeated) ? 2 + Math.floor(simulation.draw() * 2) : 1;
    if (simulation.chance(lost)) copies = 0;
    if (copies === 0) this.note(message, `${eventType} is lost`);
    for (; copies > 0; copies--) {
      const more = simulation.chance(late) ? simulation.draw() * LATE : simulation.exponential(800);
      const arrive = (): void => {
        attempt.news ??= simulation.now;
        this.#deliver(body);
      };
      simulation.after(after + more, () => {
        if (simulation.now >= this.silentUntil) return arrive();
        simulation.at(this.silentUntil + simulation.draw() * this.flood, arrive);
      });
    }
  }
}

function eventBody(
  mail: SendEmailCommandInput & { id: string },
  tags: Record<string, string | undefined>,
  sentAt: number,
  eventType: string,
  timestamp: string,
  part: object,
): string {
  return JSON.stringify({
    version: '0',
    id: `${mail.id}-${eventType}`,
    source: 'aws.ses',
    'detail-type': `Email ${eventType}`,
    time: timestamp,
    resources: [],
    detail: {
      eventType,
      mail: {
        timestamp: new Date(Math.floor(sentAt)).toISOString(),
        messageId: mail.id,
        destination: mail.Destination?.ToAddresses,
        tags: Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, [value]])),
      },
      ...part,
    },
  });
}

const sesError = (name: string, message: string, status = 400): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } });
