// Rehearses a deployment against ministack, an AWS emulator: bootstrap, deploy, publish, one event to its e-mail, redeploy, destroy.
// It checks no permissions and few property values; those are held by cdk-nag and stack.test.ts. How to run it: docs/operate.md.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { CreateEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { enter, findTarget, output } from '../../cli/outputs.ts';
import { firstTopic, smoke } from '../../cli/smoke.ts';

/** The version that this was tried with. */
const TRIED = '1.5.33';
const ACCOUNT = '000000000000';
const REGION = 'eu-central-1';
const ROOT = path.resolve(import.meta.dirname, '../..');

const said: string[] = [];
function say(line: string): void {
  said.push(line);
  console.log(line);
}

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
    const { sentAfter } = await smoke(target, {
      patience: 60_000,
      feedback: false,
      keep: true,
      topic: firstTopic(ROOT),
      say: (line) => say(`  ${line}`),
    });
    say(`  from the event to SES: ${sentAfter} ms`);

    interface Sent {
      configuration_set?: string;
      [name: string]: unknown;
    }
    const mails = (await (await fetch(`${endpoint}/_ministack/ses/messages`)).json()) as {
      messages: Record<string, Sent[]>;
    };
    const all = Object.values(mails.messages).flat();
    if (all.length !== 1) throw new Error(`SES holds ${all.length} e-mails, 1 was sent`);
    say('  SES holds exactly one e-mail');

    await run(
      'deploy again, nothing changed',
      [cdk, 'deploy', '--all', '--require-approval', 'never', ...context],
      env,
    );
    await run('destroy', [cdk, 'destroy', '--all', '--force', ...context], env);
    void EventBridgeClient;
    void PutEventsCommand;
    void output;
    void until;
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
  say(`Rehearsing a deployment against ${command}:`);
  await rehearse(command);
  say(`Rehearsed in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
}
