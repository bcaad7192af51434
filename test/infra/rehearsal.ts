// Rehearses a deployment against ministack, an AWS emulator: bootstrap, deploy, publish, one event to its e-mail, redeploy, destroy.
// It checks few property values; those are held by cdk-nag and stack.test.ts. How to run it: docs/operate.md.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeRuleCommand, EventBridgeClient, TestEventPatternCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { enter, findTarget, output, type Target } from '../../cli/outputs.ts';
import { firstTopic, type Smoked, smoke } from '../../cli/smoke.ts';
import { sha256 } from '../../domain/interaction.ts';
import { documentClient, key } from '../../functions/aws/table.ts';

/** The version that this was tried with. */
const TRIED = '1.5.33';
/** With --permissions the emulator judges the functions' roles too; alarms are left out, and CDK acts with the caller's rights. */
const PERMISSIONS = process.argv.includes('--permissions');
const ACCOUNT = '000000000000';
const REGION = 'eu-central-1';
const ROOT = path.resolve(import.meta.dirname, '../..');

const say = (line: string): void => console.log(line);

function findMinistack(): string | undefined {
  const command = process.env.MINISTACK ?? 'ministack';
  const found = command.includes('/') ? command : spawnSync('which', [command], { encoding: 'utf8' }).stdout.trim();
  return found === '' ? undefined : found;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** Runs a command to its end; its output is shown when it fails. */
async function run(name: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const code = await new Promise((done) => child.on('close', done));
  if (code !== 0) throw new Error(`${name} failed:\n${output.slice(-6_000)}`);
  say(`  ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function ready(endpoint: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    if (child.exitCode !== null) throw new Error(`ministack ended with ${child.exitCode}`);
    const up = await fetch(`${endpoint}/_ministack/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (up) return;
    await sleep(200);
  }
  throw new Error('ministack did not come up in 30 s');
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 120; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(500);
  }
  throw new Error(`${what}: not in 60 s`);
}

/** SES's own event, which neither the emulator makes nor anybody but SES may put: our rule matches it, our queue takes it. */
async function feedback(target: Target, { contact, message }: Smoked): Promise<void> {
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
  const events = new EventBridgeClient({});
  const { EventPattern } = await events.send(new DescribeRuleCommand({ Name: 'kairos-dev-feedback' }));
  const { Result } = await events.send(new TestEventPatternCommand({ EventPattern, Event: JSON.stringify(event) }));
  if (Result !== true) throw new Error(`the rule for feedback does not match: ${EventPattern}`);
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

/** An event over HTTPS, from a source with a secret; without one it is refused. */
async function door(target: Target, endpoint: string): Promise<void> {
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

async function noDeadLetters(target: Target): Promise<void> {
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

async function rehearse(command: string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kairos-rehearsal-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // Lambda runs as a process of the first `node` on the path.
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH ?? ''}`,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    NODE_OPTIONS: '',
  };
  const { AWS_ENDPOINT_URL: _, ...own } = env;
  const log = path.join(folder, 'ministack.log');
  const ministack = spawn('sh', ['-c', `exec "${command}" > "${log}" 2>&1`], {
    env: {
      ...own,
      BIND_HOST: '127.0.0.1',
      ...(PERMISSIONS ? { AUTH: 'true' } : {}),
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: REGION,
      TMPDIR: folder,
    },
  });
  try {
    await ready(endpoint, ministack);
    Object.assign(process.env, { ...env, PATH: process.env.PATH });
    const settings = JSON.parse(readFileSync(path.join(ROOT, 'templates', 'settings.json'), 'utf8')) as {
      senders: Record<string, { from: string }>;
    };
    const senders = Object.values(settings.senders).map(({ from }) => from);
    const mailDomain = senders[0]!.split('@')[1]!;
    const ses = new SESv2Client({});
    for (const EmailIdentity of [mailDomain, ...senders])
      await ses.send(new CreateEmailIdentityCommand({ EmailIdentity }));

    const cdk = path.join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk');
    const context = [
      ...(PERMISSIONS ? ['--app', 'node test/infra/rehearsal-app.ts'] : []),
      '-c',
      'stage=dev',
      '-c',
      `mailDomain=${mailDomain}`,
      '-c',
      'alarmAddress=ops@shop.example',
      '-c',
      'dueShards=2',
      '--output',
      path.join(folder, 'cdk.out'),
    ];
    await run('bootstrap', [cdk, 'bootstrap', '--app', '', `aws://${ACCOUNT}/${REGION}`], env);
    await run('deploy', [cdk, 'deploy', '--all', '--require-approval', 'never', ...context], env);
    await run('publish', [path.join(ROOT, 'cli', 'kairos.ts'), 'publish', '--stage', 'dev'], env);

    const target = await findTarget({ stage: 'dev' });
    enter(target);
    const smoked = await smoke(target, {
      patience: 60_000,
      feedback: false,
      keep: true,
      topic: firstTopic(ROOT),
      say: (line) => say(`  ${line}`),
    });
    const mails = (await (await fetch(`${endpoint}/_ministack/ses/messages`)).json()) as {
      messages: Record<string, unknown[]>;
    };
    const held = Object.values(mails.messages).flat().length;
    if (held !== 1) throw new Error(`SES holds ${held} e-mails, 1 was sent`);
    say('  SES holds exactly one e-mail');
    await feedback(target, smoked);
    await door(target, endpoint);
    await noDeadLetters(target);

    await run(
      'deploy again, nothing changed',
      [cdk, 'deploy', '--all', '--require-approval', 'never', ...context],
      env,
    );
    await run('destroy', [cdk, 'destroy', '--all', '--force', ...context], env);
  } catch (error) {
    const words = await readFile(log, 'utf8').catch(() => '');
    console.error(
      words
        .split('\n')
        .filter((line) => /ERROR|Traceback|Error/.test(line))
        .slice(-40)
        .join('\n'),
    );
    throw error;
  } finally {
    ministack.kill('SIGTERM');
    if (process.env.KEEP === undefined) await rm(folder, { recursive: true, force: true });
    else console.log(`kept: ${folder}`);
  }
}

const command = findMinistack();
if (command === undefined) {
  console.log(
    `SKIPPED: the rehearsal needs ministack ${TRIED} (pip install ministack==${TRIED}), on the PATH or named by MINISTACK. Nothing was rehearsed.`,
  );
} else {
  const started = performance.now();
  say(`Rehearsing a deployment${PERMISSIONS ? ' with the permissions of its functions' : ''} against ${command}:`);
  await rehearse(command);
  say(`Rehearsed in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
}
