// `npm run smoke -- --stage dev`: one event in, one e-mail to SES's mailbox simulator, its feedback seen, everything removed again.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { DeleteCommand, type DynamoDBDocumentClient, GetCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { Command } from 'commander';
import { normalise } from '../domain/event.ts';
import { KairosError, sayFault } from '../domain/fault.ts';
import { type Interaction, identityKeys } from '../domain/interaction.ts';
import { documentClient, key } from '../functions/aws/table.ts';
import { enter, findTarget, output, type Target } from './outputs.ts';

const SOURCE = 'kairos.smoke';
const EVENT = 'Consent Requested';
/** Its campaign is a service message: no consent, caps or quiet hours stand between the event and the e-mail. */
const CAMPAIGN = 'confirm-subscription';

/** Milliseconds in which the rest of SES's feedback comes. */
const GRACE = 10_000;

interface SmokeOptions {
  /** Most milliseconds for the e-mail, and again for its feedback. */
  patience: number;
  /** Waits for what SES says about the delivery too. */
  feedback: boolean;
  /** Leaves what it made in the table. */
  keep: boolean;
  /** A topic of templates/settings.json. */
  topic: string;
  say(line: string): void;
}

/** What a smoke test saw. */
export interface Smoked {
  contact: string;
  message: string;
  /** Milliseconds from the event to the message's state `sent`. */
  sentAfter: number;
  delivery?: string;
  removed: number;
}

type Item = Record<string, unknown>;

/**
 * Runs the test against a stage whose environment is entered. Throws KairosError with the step that failed; what it
 * made is removed in either case.
 */
export async function smoke(target: Target, options: SmokeOptions): Promise<Smoked> {
  const { say } = options;
  const table = documentClient(new DynamoDBClient({}));
  const TableName = output(target, 'TableName');
  const pointer = await table.send(new GetCommand({ TableName, Key: key.pointer() }));
  if (!pointer.Item) {
    throw smokeFault(
      'nothing-published',
      'Nothing is published, so nothing is sent.',
      `Publish first: npx kairos publish --stage ${target.stage}`,
    );
  }

  const id = randomUUID();
  const address = `success+${id}@simulator.amazonses.com`;
  const detail = {
    type: 'track',
    event: EVENT,
    messageId: `smoke-${id}`,
    userId: `smoke-${id}`,
    properties: { topic: options.topic, wording: 'smoke test', source: 'smoke test' },
    context: { traits: { email: address } },
  };
  const interaction = interactionOf(detail);

  const started = performance.now();
  say(`1. Putting one "${EVENT}" for ${address} on the bus ${output(target, 'BusName')}.`);
  const put = await new EventBridgeClient({}).send(
    new PutEventsCommand({
      Entries: [
        { EventBusName: output(target, 'BusName'), Source: SOURCE, DetailType: EVENT, Detail: JSON.stringify(detail) },
      ],
    }),
  );
  if (put.FailedEntryCount)
    throw smokeFault(
      'not-taken',
      `EventBridge did not take it: ${put.Entries?.[0]?.ErrorCode}.`,
      'Look at your permissions (events:PutEvents).',
    );

  let contact: string | undefined;
  try {
    contact = await until(options.patience, () => contactOf(table, TableName, interaction));
    if (contact === undefined) {
      throw smokeFault(
        'not-recorded',
        'The event was not recorded in time.',
        'Look at the dead letters of the record queue and at the log of record-interaction (docs/runbook.md).',
      );
    }
    say(`2. Recorded as contact ${contact}.`);

    let message = await until(options.patience, async () => settled(await messageOf(table, TableName, contact!)));
    if (message?.state !== 'sent') {
      const found = message ?? (await messageOf(table, TableName, contact));
      throw found
        ? smokeFault(
            'not-sent',
            `The message is ${String(found.state)}${found.reason ? ` (${String(found.reason)})` : ''}, not sent.`,
            'Look at the log of send-message (docs/runbook.md).',
          )
        : smokeFault(
            'no-message',
            'No message was decided.',
            `Is the campaign ${CAMPAIGN} published and live (npx kairos publish)? Look at: npx kairos contact ${contact}`,
          );
    }
    const sentAfter = Math.round(performance.now() - started);
    say(`3. Sent: message ${idOf(message)}, ${sentAfter} ms after the event.`);

    let delivery: string | undefined;
    if (options.feedback) {
      message = await until(options.patience, async () => {
        const now = await messageOf(table, TableName, contact!);
        return now?.delivery === undefined ? undefined : now;
      });
      if (message === undefined) {
        throw smokeFault(
          'no-feedback',
          'No feedback of SES came in time.',
          'Look at the configuration set, the rule for feedback on the default bus, and the log of receive-feedback.',
        );
      }
      delivery = String(message.delivery);
      if (delivery !== 'delivered')
        throw smokeFault(
          'not-delivered',
          `SES says ${delivery}.`,
          'The simulator always accepts: look at the SES account.',
        );
      say(`4. SES says: ${delivery}.`);
    }
    // Feedback that comes later would find its message gone, and end among the dead letters.
    if (!options.keep && target.stage !== 'laptop') await sleep(GRACE);
    const removed = options.keep ? 0 : await cleanUp(table, TableName, interaction, contact);
    say(
      options.keep
        ? 'Left in the table, as asked.'
        : `Removed the ${removed} items that this made. Reports count one e-mail of ${CAMPAIGN} more.`,
    );
    return { contact, message: idOf(message), sentAfter, removed, ...(delivery === undefined ? {} : { delivery }) };
  } catch (error) {
    if (!options.keep) await cleanUp(table, TableName, interaction, contact).catch(() => undefined);
    throw error;
  }
}

/** The interaction as record-interaction will see it, for the keys under which it stands. */
function interactionOf(detail: object): Interaction {
  const read = normalise({ id: 'smoke', source: SOURCE, 'detail-type': EVENT, time: new Date().toISOString(), detail });
  if ('fault' in read) throw new KairosError(read.fault);
  return read.interaction;
}

async function until<T>(patience: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const end = performance.now() + patience;
  for (;;) {
    const found = await look();
    if (found !== undefined || performance.now() > end) return found;
    await sleep(500);
  }
}

async function contactOf(
  table: DynamoDBDocumentClient,
  TableName: string,
  interaction: Interaction,
): Promise<string | undefined> {
  for (const subject of identityKeys(interaction.who)) {
    const { Item } = await table.send(new GetCommand({ TableName, Key: key.identity(subject), ConsistentRead: true }));
    if (typeof Item?.contact === 'string') return Item.contact;
  }
  return undefined;
}

async function messageOf(table: DynamoDBDocumentClient, TableName: string, contact: string): Promise<Item | undefined> {
  return (await itemsOf(table, TableName, `CONTACT#${contact}`)).find((item) => item.campaign === CAMPAIGN);
}

const idOf = (message: Item): string => String(message.sk).replace('MESSAGE#', '');

const settled = (message: Item | undefined): Item | undefined =>
  message && ['sent', 'failed', 'dropped', 'uncertain'].includes(String(message.state)) ? message : undefined;

async function itemsOf(table: DynamoDBDocumentClient, TableName: string, pk: string): Promise<Item[]> {
  const { Items } = await table.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
      ConsistentRead: true,
    }),
  );
  return Items ?? [];
}

/** Removes what stands under the keys of this one person, who is nobody. */
async function cleanUp(
  table: DynamoDBDocumentClient,
  TableName: string,
  interaction: Interaction,
  contact: string | undefined,
): Promise<number> {
  const partitions = [`SUBJECT#${interaction.subject}`, ...(contact ? [`CONTACT#${contact}`] : [])];
  const found = await Promise.all(partitions.map((pk) => itemsOf(table, TableName, pk)));
  const keys = [
    ...found.flat().map(({ pk, sk }) => ({ pk, sk })),
    ...identityKeys(interaction.who).map((subject) => key.identity(subject)),
  ];
  for (const one of keys) await table.send(new DeleteCommand({ TableName, Key: one }));
  return keys.length;
}

function smokeFault(code: string, message: string, remedy: string): KairosError {
  return new KairosError({ code: `smoke.${code}`, path: '', message, remedy });
}

/** A topic of the shop: the first one of templates/settings.json. */
export function firstTopic(root: string): string {
  try {
    const { topics } = JSON.parse(readFileSync(path.join(root, 'templates', 'settings.json'), 'utf8')) as {
      topics?: Record<string, unknown>;
    };
    return Object.keys(topics ?? {})[0] ?? 'offers';
  } catch {
    return 'offers';
  }
}

async function main(argv: string[]): Promise<void> {
  const options = new Command('smoke')
    .description("One event in, one e-mail to SES's mailbox simulator, feedback seen, everything removed again.")
    .option('--stage <stage>', 'dev, staging, prod or laptop; without it, the laptop run that is up')
    .option('--patience <seconds>', 'how long to wait for each step', '120')
    .option('--no-feedback', 'do not wait for what SES says about the delivery')
    .option('--keep', 'leave what was made in the table')
    .parse(argv)
    .opts<{ stage?: string; patience: string; feedback: boolean; keep?: boolean }>();
  const target = await findTarget({ stage: options.stage });
  enter(target);
  console.log(`Smoke test of stage ${target.stage}.`);
  const { sentAfter } = await smoke(target, {
    patience: Number(options.patience) * 1000,
    feedback: options.feedback,
    keep: options.keep === true,
    topic: firstTopic(path.resolve(import.meta.dirname, '..')),
    say: (line) => console.log(line),
  });
  console.log(`Works: from the event to SES in ${sentAfter} ms.`);
}

if (import.meta.main) {
  main(process.argv).catch((error: unknown) => {
    console.error(error instanceof KairosError ? `Failed: ${sayFault(error.fault)}` : error);
    process.exitCode = 1;
  });
}
