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
const REASONS: Partial<Record<StepName, string>> = {};

interface Bundle {
  step: StepName;
  file: string;
  bytes: number;
  /** Median of five fresh processes, milliseconds above an empty module. */
  importMs: number;
}

/** Milliseconds that a fresh process takes to import a module, as the process itself sees it. */
function importTime(file: string): number {
  const script = `const start = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); process.stdout.write(String(performance.now() - start)); process.exit(0);`;
  const times = Array.from({ length: 5 }, () => {
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, AWS_REGION: 'eu-central-1', AWS_LAMBDA_FUNCTION_NAME: 'bundles' },
    });
    if (ran.status !== 0) throw new Error(`${file} cannot be imported:\n${ran.stderr}`);
    return Number(ran.stdout);
  }).sort((a, b) => a - b);
  return times[2]!;
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
