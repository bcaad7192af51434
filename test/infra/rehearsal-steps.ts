// What a rehearsal drives through the deployed stack, step by step; each throws where it went otherwise, and says what it saw.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeRuleCommand, EventBridgeClient, TestEventPatternCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { output, type Target } from '../../cli/outputs.ts';
import { firstTopic, type Smoked, smoke } from '../../cli/smoke.ts';
import { KairosError } from '../../domain/fault.ts';
import { sha256 } from '../../domain/interaction.ts';
import { type LinkPayload, signLink } from '../../domain/links.ts';
import { documentClient, key } from '../../functions/aws/table.ts';

export const ACCOUNT = '000000000000';
export const REGION = 'eu-central-1';
export const ROOT = path.resolve(import.meta.dirname, '../..');

export const say = (line: string): void => console.log(line);

/** Runs a command to its end; its output is shown when it ends otherwise than expected. */
export async function run(name: string, args: string[], env: NodeJS.ProcessEnv, expected = 0): Promise<string> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const code = await new Promise((done) => child.on('close', done));
  if (code !== expected) throw new Error(`${name} ended with ${code}:\n${output.slice(-6_000)}`);
  say(`  ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return output;
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 120; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(500);
  }
  throw new Error(`${what}: not in 60 s`);
}

/** Whether a deployed rule takes an event, as the emulator says. */
async function matches(Name: string, event: object, EventBusName?: string): Promise<boolean> {
  const events = new EventBridgeClient({});
  const { EventPattern } = await events.send(
    new DescribeRuleCommand({ Name, ...(EventBusName === undefined ? {} : { EventBusName }) }),
  );
  const { Result } = await events.send(new TestEventPatternCommand({ EventPattern, Event: JSON.stringify(event) }));
  return Result === true;
}

/** SES's own event, which neither the emulator makes nor anybody but SES may put: our rule matches it, our queue takes it. */
export async function feedback(target: Target, { contact, message }: Smoked): Promise<void> {
  const time = new Date().toISOString();
  const tags = {
    'ses:configuration-set': [output(target, 'ConfigurationSetName')],
    'kairos-message': [message],
    'kairos-contact': [contact],
    'kairos-campaign': ['confirm-subscription'],
  };
  const mail = { timestamp: time, messageId: 'rehearsal', destination: ['success@simulator.amazonses.com'], tags };
  const delivery = { timestamp: time, processingTimeMillis: 1, recipients: mail.destination, smtpResponse: '250 OK' };
  const event = {
    version: '0',
    id: 'rehearsal',
    'detail-type': 'Email Delivered',
    source: 'aws.ses',
    account: ACCOUNT,
    time,
    region: REGION,
    resources: [],
    detail: { eventType: 'Delivery', mail, delivery },
  };
  const tracked = structuredClone(event);
  tracked.detail.mail.tags['ses:configuration-set'] = [output(target, 'TrackedConfigurationSetName')];
  for (const one of [event, tracked])
    if (!(await matches('kairos-dev-feedback', one))) throw new Error('the rule for feedback does not match');
  const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
  await sqs.send(
    new SendMessageCommand({ QueueUrl: output(target, 'FeedbackQueueUrl'), MessageBody: JSON.stringify(event) }),
  );
  await until('feedback at the message', async () => {
    const item = await get(target, key.message(contact, message));
    return item?.delivery === 'delivered' ? item : undefined;
  });
  say('  feedback reached the message');
}

async function signingKey(target: Target): Promise<string> {
  const { SecretString } = await new SecretsManagerClient({}).send(
    new GetSecretValueCommand({ SecretId: output(target, 'SecretName') }),
  );
  return (JSON.parse(SecretString ?? '{}') as { k1?: string }).k1 ?? '';
}

/** One click in a mail program, and the preference page behind the other link. Names of function URLs do not resolve here. */
export async function unsubscribe(
  target: Target,
  endpoint: string,
  { contact, message }: Smoked,
  brand: string,
): Promise<void> {
  const [, host] = /^https?:\/\/([^./]+)\./.exec(output(target, 'PreferencesUrl')) ?? [];
  const keys = { current: 'k1', keys: { k1: await signingKey(target) } };
  const url = (door: string, kind: LinkPayload['kind']) =>
    `${endpoint}/_aws/lambda-url/${host}/${door}/${signLink({ kind, contact, brand, message }, keys)}`;
  const page = await fetch(url('p', 'preferences'));
  if (page.status !== 200) throw new Error(`the preference page answered ${page.status}`);
  const clicked = await fetch(url('u', 'unsubscribe'), {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'List-Unsubscribe=One-Click',
  });
  if (clicked.status >= 300) throw new Error(`one click was answered with ${clicked.status}`);
  await until('the unsubscribe at the message', async () => {
    const body = String((await get(target, key.message(contact, message)))?.body ?? '{}');
    return (JSON.parse(body) as { unsubscribedAt?: number }).unsubscribedAt;
  });
  say('  the preference page opened; one click withdrew the consent and reached the message as feedback');
}

/** Invokes a function. Throws where it fails, or says in its log that a part of it did. */
async function invoke(step: string): Promise<void> {
  const answer = await new LambdaClient({}).send(
    new InvokeCommand({ FunctionName: `kairos-dev-${step}`, LogType: 'Tail' }),
  );
  const log = Buffer.from(answer.LogResult ?? '', 'base64').toString();
  if (answer.FunctionError !== undefined || /"level":"ERROR"/.test(log))
    throw new Error(`${step}: ${answer.FunctionError ?? 'a part failed'}: ${log.slice(-3_000)}`);
}

/** The guard once, as its rule wakes it: it reads the account, keeps the budgets and says how things stand. */
export async function guard(target: Target): Promise<void> {
  await invoke('guard-sending');
  const account = await get(target, key.account());
  if (account?.maxRate === undefined) throw new Error('guard-sending has not read the account');
  say(
    `  guard-sending read the account: ${account.maxRate} a second, ${account.sent24h} of ${account.max24h} in 24 hours`,
  );
}

/**
 * A campaign over its budget of complaints is paused by the guard: its next message waits. Resumed by command, it goes
 * out through the timers, and old complaints do not pause it again. Nobody records the pause as a person's event.
 */
export async function pauses(target: Target, env: NodeJS.ProcessEnv, held: () => Promise<number>): Promise<void> {
  const campaign = 'confirm-subscription';
  const event = {
    version: '0',
    id: 'rehearsal',
    'detail-type': 'Campaign Paused',
    account: ACCOUNT,
    time: new Date().toISOString(),
    region: REGION,
    resources: [],
    detail: { campaign },
  };
  const bus = output(target, 'BusName');
  if (await matches('kairos-dev-events', { ...event, source: 'kairos.operations' }, bus))
    throw new Error('an operational event would be recorded');
  if (!(await matches('kairos-dev-events', { ...event, source: 'kairos' }, bus)))
    throw new Error('an event of Kairos would not be recorded');

  const table = documentClient();
  const day = new Date().toISOString().slice(0, 10);
  const Item = { ...key.report(campaign, day, 'rehearsal'), shape: 1, made: 1_000, delivered: 1_000, complained: 20 };
  await table.send(new PutCommand({ TableName: output(target, 'TableName'), Item }));
  const pausedBy = async () => {
    await invoke('guard-sending');
    const paused = (await get(target, key.controls()))?.paused as
      | Record<string, { by: string; why: string }>
      | undefined;
    return paused?.[campaign];
  };
  const pause = await pausedBy();
  if (pause?.by !== 'guard-sending') throw new Error('20 complaints of 1,000 mails paused nothing');
  say(`  the guard paused ${campaign}: ${pause.why}`);
  const before = await held();
  let waits = '';
  try {
    await smoke(target, {
      patience: 8_000,
      feedback: false,
      keep: true,
      topic: firstTopic(ROOT),
      say: (line) => (waits += line),
    });
    throw new Error('a message of a paused campaign was sent');
  } catch (error) {
    if (!(error instanceof KairosError) || !/is ready, not sent/.test(error.fault.message)) throw error;
  }
  if ((await held()) !== before) throw new Error('SES holds a mail of a paused campaign');
  const [, contact] = /Recorded as contact (\S+?)\./.exec(waits) ?? [];
  await run('resume', command('resume', campaign), env);
  if ((await pausedBy()) !== undefined) throw new Error('a campaign that was resumed is paused again for the same');
  // Its turn comes minutes later: the rehearsal moves it, and wakes the timers.
  const messages = await table.send(
    new QueryCommand({
      TableName: output(target, 'TableName'),
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :message)',
      ExpressionAttributeValues: { ':pk': `CONTACT#${contact}`, ':message': 'MESSAGE#' },
    }),
  );
  const { pk, sk } = messages.Items![0]!;
  await table.send(
    new UpdateCommand({
      TableName: output(target, 'TableName'),
      Key: { pk, sk },
      UpdateExpression: 'SET dueAt = :now',
      ExpressionAttributeValues: { ':now': Date.now() - 1_000 },
    }),
  );
  await until('the message that waited', async () => {
    await invoke('run-timers');
    await sleep(2_000);
    return (await get(target, { pk: String(pk), sk: String(sk) }))?.state === 'sent' ? true : undefined;
  });
  if ((await held()) !== before + 1) throw new Error('what waited went out more than once');
  say('  a paused campaign sent nothing; resumed, the timers brought what waited, once');
}

/** A command of Kairos, for `run`. */
export const command = (...args: string[]): string[] => [
  path.join(ROOT, 'cli', 'kairos.ts'),
  ...args,
  '--stage',
  'dev',
];

/** Everything stops by command, status says so, and everything starts again. */
export async function stops(env: NodeJS.ProcessEnv): Promise<void> {
  await run('stop', command('stop', '--why', 'rehearsal'), env);
  const told = await run('status', command('status'), env, 1);
  if (!/rehearsal/.test(told)) throw new Error(`status does not say why sending is stopped:\n${told}`);
  await run('start', command('start'), env);
}

/** An event over HTTPS, from a source with a secret; without one it is refused. */
export async function door(target: Target, endpoint: string): Promise<void> {
  const secrets = new SecretsManagerClient({});
  const SecretId = output(target, 'SecretName');
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId }));
  const now = JSON.parse(SecretString ?? '{}') as { k1?: string; sources: Record<string, unknown> };
  if ((now.k1 ?? '').length < 32) throw new Error('the secret came up without a signing key');
  now.sources.shop = { hash: sha256('rehearsed'), events: '*', identify: true, consent: true, address: true };
  await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(now) }));
  // Names of function URLs do not resolve here; the emulator takes them by path.
  const [, host] = /^https?:\/\/([^./]+)\./.exec(output(target, 'EventsUrl')) ?? [];
  const event = {
    type: 'track',
    event: 'Product Viewed',
    messageId: 'rehearsal-1',
    userId: 'rehearsal-door',
    properties: { product_id: 'p-1' },
  };
  const post = (secret: string) =>
    fetch(`${endpoint}/_aws/lambda-url/${host}/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify(event),
    });
  const refused = await post('shop.guessed');
  if (refused.status !== 401) throw new Error(`a wrong secret was answered with ${refused.status}`);
  const taken = await post('shop.rehearsed');
  if (taken.status !== 202) throw new Error(`the door answered ${taken.status}: ${await taken.text()}`);
  await until('the contact of the door', () => get(target, key.identity(`user#${sha256('rehearsal-door')}`)));
  say('  an event came in over HTTPS, a wrong secret did not');
}

async function get(target: Target, Key: { pk: string; sk: string }): Promise<Record<string, unknown> | undefined> {
  return (await documentClient().send(new GetCommand({ TableName: output(target, 'TableName'), Key }))).Item;
}

/** Throws where a queue of dead letters holds any. */
export async function noDeadLetters(target: Target): Promise<void> {
  const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
  for (const [name, QueueUrl] of Object.entries(target.outputs)) {
    if (!name.endsWith('DeadLettersUrl')) continue;
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
    );
    if (Attributes?.ApproximateNumberOfMessages !== '0')
      throw new Error(`${name} holds ${Attributes?.ApproximateNumberOfMessages} dead letters`);
  }
  say('  no dead letters');
}
