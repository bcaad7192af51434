// Rehearses a deployment against ministack, an AWS emulator: bootstrap, deploy, publish, one event to its e-mail, its feedback,
// an unsubscribe, the guard, a campaign paused and resumed, redeploy, destroy.
// It checks few property values; those are held by cdk-nag and stack.test.ts. How to run it: docs/operate.md.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { enter, findTarget } from '../../cli/outputs.ts';
import { firstTopic, smoke } from '../../cli/smoke.ts';
import {
  ACCOUNT,
  command,
  door,
  feedback,
  guard,
  noDeadLetters,
  pauses,
  REGION,
  ROOT,
  run,
  say,
  stops,
  unsubscribe,
} from './rehearsal-steps.ts';

/** The version that this was tried with. */
const TRIED = '1.5.33';
/** With --permissions the emulator judges the functions' roles too; alarms are left out, and CDK acts with the caller's rights. */
const PERMISSIONS = process.argv.includes('--permissions');

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

async function rehearse(emulator: string): Promise<void> {
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
  const ministack = spawn('sh', ['-c', `exec "${emulator}" > "${log}" 2>&1`], {
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
      brands: Record<string, unknown>;
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
      '-c',
      'trackOpens=true',
      '-c',
      'rateShare=0.5',
      '--output',
      path.join(folder, 'cdk.out'),
    ];
    await run('bootstrap', [cdk, 'bootstrap', '--app', '', `aws://${ACCOUNT}/${REGION}`], env);
    await run('deploy', [cdk, 'deploy', '--all', '--require-approval', 'never', ...context], env);
    await run('publish', command('publish'), env);

    const target = await findTarget({ stage: 'dev' });
    enter(target);
    const smoked = await smoke(target, {
      patience: 60_000,
      feedback: false,
      keep: true,
      topic: firstTopic(ROOT),
      say: (line) => say(`  ${line}`),
    });
    const held = async (): Promise<number> => {
      const answer = await fetch(`${endpoint}/_ministack/ses/messages`);
      const { messages } = (await answer.json()) as { messages: Record<string, unknown[]> };
      return Object.values(messages).flat().length;
    };
    if ((await held()) !== 1) throw new Error(`SES holds ${await held()} e-mails, 1 was sent`);
    say('  SES holds exactly one e-mail');
    await feedback(target, smoked);
    await door(target, endpoint);
    await guard(target);
    await unsubscribe(target, endpoint, smoked, Object.keys(settings.brands)[0]!);
    await pauses(target, env, held);
    await stops(env);
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

const ministack = findMinistack();
if (ministack === undefined) {
  console.log(
    `SKIPPED: the rehearsal needs ministack ${TRIED} (pip install ministack==${TRIED}), on the PATH or named by MINISTACK. Nothing was rehearsed.`,
  );
} else {
  const started = performance.now();
  say(`Rehearsing a deployment${PERMISSIONS ? ' with the permissions of its functions' : ''} against ${ministack}:`);
  await rehearse(ministack);
  say(`Rehearsed in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
}
