// What each function weighs: minified bytes and import time of the bundles that a deployment would upload. `npm run bundles`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { App } from 'aws-cdk-lib';
import { pascal, STEPS, type StepName } from './names.ts';
import { readSettings } from './settings.ts';
import { KairosStack } from './stack.ts';

/** Bytes that a bundle may have without a reason. */
const MOST = 400 * 1024;

/** Functions that may be heavier, and why. */
const DECIDES =
  'it decides: schemas (zod 100), time zones (Temporal 56), rules 60, and clients of table, queues and bucket 300';
const REASONS: Partial<Record<StepName, string>> = {
  'record-interaction': DECIDES,
  'walk-due': DECIDES,
  'receive-feedback': DECIDES,
  'walk-roster': DECIDES,
  'send-message':
    'it renders: Liquid 82, schemas 100, time zones 56, and clients of SES, table, queues, bucket and secret 370',
  'guard-sending':
    'it counts the budgets of the book: time zones 54, rules 20, and clients of SES, table, bus and bucket 410',
  'manage-preferences':
    'it opens the book for names and topics: schemas 100, Liquid 82, time zones 56, and clients of bus, table, bucket and secret 340',
  'recommend-products':
    'it opens the book with its models: schemas 100, rules 60, time zones 56, and clients of table, bucket and secret 330',
  'write-lake': 'it reads orders in the shop’s days: time zones 56, and clients of table and bucket 330',
  'refresh-insight':
    'it fits: schemas 100, models and groups 60, time zones 56, and clients of Athena, table, queue and bucket 430',
};

interface Bundle {
  step: StepName;
  file: string;
  bytes: number;
  /** Fastest of seven fresh processes, milliseconds: what else runs on the machine only adds. */
  importMs: number;
}

/** Milliseconds that a fresh process takes to import a module, as the process itself sees it. */
function importTime(file: string): number {
  const script = `const start = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); process.stdout.write(String(performance.now() - start)); process.exit(0);`;
  const times = Array.from({ length: 7 }, () => {
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, AWS_REGION: 'eu-central-1', AWS_LAMBDA_FUNCTION_NAME: 'bundles' },
    });
    if (ran.status !== 0) throw new Error(`${file} cannot be imported:\n${ran.stderr}`);
    return Number(ran.stdout);
  });
  return Math.min(...times);
}

/** Synthesises the stack into a folder and weighs its bundles. */
export function weigh(folder: string): Bundle[] {
  const app = new App({ outdir: folder });
  const stack = new KairosStack(app, readSettings({ stage: 'laptop' }));
  const template = app.synth().getStackByName(stack.stackName).template as {
    Resources: Record<string, { Type: string; Properties: { Code?: { S3Key: string } } }>;
  };
  const functions = Object.entries(template.Resources).filter(([, { Type }]) => Type === 'AWS::Lambda::Function');
  return STEPS.map((step) => {
    const found = functions.find(([id]) => id.startsWith(`${pascal(step)}Function`));
    const file = path.join(folder, `asset.${found?.[1].Properties.Code?.S3Key.replace(/\.zip$/, '')}`, 'index.mjs');
    return { step, file, bytes: statSync(file).size, importMs: importTime(file) };
  });
}

function print(bundles: Bundle[]): void {
  const widest = Math.max(...STEPS.map((step) => step.length));
  console.log(`${'function'.padEnd(widest)}  minified KB  import ms`);
  for (const { step, bytes, importMs } of bundles) {
    const reason = bytes > MOST ? `  over ${MOST / 1024} KB: ${REASONS[step] ?? 'NO REASON GIVEN'}` : '';
    console.log(
      `${step.padEnd(widest)}  ${(bytes / 1024).toFixed(0).padStart(11)}  ${importMs.toFixed(0).padStart(9)}${reason}`,
    );
  }
}

if (import.meta.main) {
  const folder = mkdtempSync(path.join(tmpdir(), 'kairos-bundles-'));
  try {
    const bundles = weigh(folder);
    print(bundles);
    const heavy = bundles.filter(({ step, bytes }) => bytes > MOST && REASONS[step] === undefined);
    for (const { step } of heavy)
      console.error(`${step} is over ${MOST / 1024} KB: slim it, or write its reason into infra/bundles.ts`);
    // A dynamic require in an ES module fails at the first call, not at the import.
    const requiring = bundles.filter(({ file }) => /Dynamic require of/.test(readFileSync(file, 'utf8')));
    for (const { step } of requiring) console.error(`${step} still holds a require that an ES module does not know`);
    if (heavy.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
