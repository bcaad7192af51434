// `npm run deploy`: asks, checks everything, shows what it costs, deploys with CDK, publishes templates/.
import { spawn } from 'node:child_process';
import { resolveTxt } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { confirm, isCancel } from '@clack/prompts';
import { Command, Option } from 'commander';
import { sayFault } from '../domain/fault.ts';
import { coreStackName } from '../infra/names.ts';
import { type Answers, ask, type Draft, remember, remembered, settle, suggestions } from './deploy-answers.ts';
import { check, costLines, type Findings, rateOf, type Template, worldOf } from './deploy-checks.ts';

const ROOT = path.resolve(import.meta.dirname, '..');

const program = new Command('deploy')
  .description(
    'Deploys Kairos into your AWS account: asks, checks everything first, then runs cdk deploy and publishes templates/.',
  )
  .addOption(new Option('--stage <stage>', 'dev, staging or prod').env('KAIROS_STAGE'))
  .addOption(new Option('--region <region>', 'AWS region').env('KAIROS_REGION'))
  .addOption(new Option('--sender <address>', 'sender address').env('KAIROS_SENDER'))
  .addOption(new Option('--mail-domain <domain>', 'domain of the SES identity').env('KAIROS_MAIL_DOMAIN'))
  .addOption(new Option('--public-base-url <url>', 'public address of links in e-mails').env('KAIROS_PUBLIC_BASE_URL'))
  .addOption(new Option('--certificate-arn <arn>', 'certificate of that address').env('KAIROS_CERTIFICATE_ARN'))
  .addOption(new Option('--alarm-address <address>', 'who reads the alarms').env('KAIROS_ALARM_ADDRESS'))
  .addOption(new Option('--postal-address <text>', 'postal address of the sender').env('KAIROS_POSTAL_ADDRESS'))
  .addOption(new Option('--reply-to <address>', 'where answers go').env('KAIROS_REPLY_TO'))
  .addOption(
    new Option('--allowed-recipients <list>', 'stage dev: the only recipients, with commas').env(
      'KAIROS_ALLOWED_RECIPIENTS',
    ),
  )
  .addOption(new Option('--profile <profile>', 'normal or small; chosen by the concurrency of the account'))
  .addOption(new Option('--send-rate <n>', 'e-mails a second; what SES allows'))
  .addOption(
    new Option(
      '--rate-share <n>',
      'share of the SES rate of the account for this stage, 0 to 1; all of it when not given',
    ).env('KAIROS_RATE_SHARE'),
  )
  .addOption(
    new Option('--track-opens <answer>', 'true: a second configuration set that tells opens of people who consent').env(
      'KAIROS_TRACK_OPENS',
    ),
  )
  .addOption(
    new Option('--backfill-rate <n>', 'contacts a second that are walked after a publish; 200, small profile 50'),
  )
  .addOption(new Option('--due-shards <n>', 'shards of the due index; never changed later'))
  .option('--yes', 'ask nothing, not even at the end')
  .option('--check', 'check only, create nothing');

/** The context values of infra/settings.ts that the answers and the checks decide. */
export function contextOf(answers: Answers, findings: Pick<Findings, 'profile' | 'sendRate'>): string[] {
  const values: Record<string, string | number | boolean | undefined> = {
    stage: answers.stage,
    mailDomain: answers.mailDomain,
    publicBaseUrl: answers.publicBaseUrl,
    certificateArn: answers.certificateArn,
    alarmAddress: answers.alarmAddress,
    allowedRecipients: answers.allowedRecipients,
    dueShards: answers.dueShards,
    backfillRate: answers.backfillRate,
    profile: findings.profile,
    sendRate: findings.sendRate,
    rateShare: answers.rateShare,
    trackOpens: answers.trackOpens,
  };
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : ['-c', `${name}=${value}`]));
}

/** Runs a command of this project in its root. Resolves with its exit code; quiet ones show their output only when they fail. */
function run(command: string, args: string[], region: string, quiet = false): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
      // cdk starts the app as plain `node`: let that be the one that runs this.
      env: {
        ...process.env,
        PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH ?? ''}`,
        AWS_REGION: region,
        AWS_DEFAULT_REGION: region,
      },
    });
    let said = '';
    child.stdout?.on('data', (chunk) => (said += chunk));
    child.stderr?.on('data', (chunk) => (said += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (quiet && code !== 0) process.stderr.write(said);
      resolve(code ?? 1);
    });
  });
}

const cdk = (args: string[], region: string, quiet = false): Promise<number> =>
  run(process.execPath, [path.join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk'), ...args], region, quiet);

async function synthesise(answers: Answers, findings: Findings): Promise<Template> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kairos-synth-'));
  try {
    const code = await cdk(
      ['synth', '--quiet', '--output', folder, ...contextOf(answers, findings)],
      answers.region,
      true,
    );
    if (code !== 0) throw new Error('cdk synth failed; its words are above');
    return JSON.parse(
      await readFile(path.join(folder, `${coreStackName(answers.stage)}.template.json`), 'utf8'),
    ) as Template;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readSettingsFile(): unknown {
  try {
    return JSON.parse(readFileSync(path.join(ROOT, 'templates', 'settings.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

function sayFaults(faults: Parameters<typeof sayFault>[0][]): void {
  console.error(
    `\n${faults.length === 1 ? 'One thing is' : `${faults.length} things are`} in the way. Nothing was created.\n`,
  );
  for (const fault of faults) console.error(`  ✗ ${sayFault(fault)}`);
  console.error('');
}

async function main(argv: string[]): Promise<number> {
  const {
    yes = false,
    check: checkOnly = false,
    ...flags
  } = program.parse(argv).opts<Draft & { yes?: boolean; check?: boolean }>();
  const settingsFile = readSettingsFile();
  const known = (stage: string): Draft => ({
    region: process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION,
    ...suggestions(settingsFile),
    ...remembered(ROOT, stage),
  });
  const interactive = !yes && process.stdin.isTTY === true;
  const draft = interactive ? await ask(flags, known) : { ...known(flags.stage ?? ''), ...flags };
  const settled = settle(draft);
  if ('faults' in settled) {
    sayFaults(settled.faults);
    return 1;
  }
  const { answers } = settled;

  console.log(`\nChecking account, mail domain and templates for stage ${answers.stage} in ${answers.region} …`);
  const findings = await check(
    answers,
    worldOf(answers.region, {
      resolveTxt,
      settings: async () => settingsFile,
      synthesise: (found) => synthesise(answers, found),
    }),
  );
  for (const warning of findings.warnings) console.log(`  ! ${warning}`);
  if (findings.faults.length > 0) {
    sayFaults(findings.faults);
    return 1;
  }
  console.log(
    `  ✓ Account ${findings.account}: nothing is in the way. ${findings.deployed ? 'Stage is deployed and will be updated.' : 'Stage is new.'}`,
  );
  console.log(
    `  ✓ ${findings.profile} profile, ${rateOf(answers, findings)} e-mails a second, ${findings.dailyQuota ?? 'unknown'} in 24 hours in the whole account.`,
  );
  console.log('\nWhat it costs:');
  for (const line of costLines(findings)) console.log(`  ${line}`);
  if (checkOnly) return 0;
  if (interactive) {
    const go = await confirm({ message: `Deploy stage ${answers.stage} now?` });
    if (isCancel(go) || !go) {
      console.log('Nothing was created.');
      return 130;
    }
  }
  remember(ROOT, answers);

  const deployed = await cdk(
    ['deploy', '--all', '--require-approval', 'never', ...contextOf(answers, findings)],
    answers.region,
  );
  if (deployed !== 0) {
    console.error(
      '\ncdk deploy failed; CloudFormation put back what was. What it said is above; running this again goes on from there.',
    );
    return deployed;
  }
  console.log('\nPublishing templates/ …');
  const published = await run(
    process.execPath,
    [path.join(ROOT, 'cli', 'kairos.ts'), 'publish', '--stage', answers.stage],
    answers.region,
  );
  if (published !== 0) {
    console.error(
      `\nThe stack is up and records events, but nothing is published, so nothing is sent. Mend templates/, then: npx kairos publish --stage ${answers.stage}`,
    );
    return published;
  }
  console.log(`\nStage ${answers.stage} is up. Next: npm run smoke -- --stage ${answers.stage}`);
  if (answers.publicBaseUrl && answers.stage !== 'dev') {
    console.log(
      `Point a CNAME record of ${new URL(answers.publicBaseUrl).hostname} at the output PublicDomainTarget above, if that is not done yet.`,
    );
  }
  if (answers.alarmAddress)
    console.log(`${answers.alarmAddress} has to confirm the subscription of alarms that AWS sends.`);
  return 0;
}

if (import.meta.main) {
  main(process.argv).then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      console.error(error);
      process.exitCode = 1;
    },
  );
}
