// The test command: types, lint, then every test; ends with one line that counts them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function run(title: string, args: string[], env: NodeJS.ProcessEnv = {}): boolean {
  const started = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${status === 0 ? 'ok' : 'FAILED'}  ${title} (${seconds} s)\n`);
  return status === 0;
}

const only = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'kairos-test-'));
const report = join(folder, 'report.json');
const whole = only.length === 0;
const typed = !whole || run('types', ['node_modules/typescript/bin/tsc', '--noEmit']);
const linted =
  !whole || run('lint and format', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']);
const tested = run('tests', [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${report}`,
  ...only,
]);
/** Seconds that the files of a suite may take together on two cores; more is said, and asks for a look. */
const budgets: Record<string, number> = {
  cli: 80,
  domain: 90,
  functions: 260,
  infra: 60,
  local: 30,
  shop: 60,
  stories: 560,
  templates: 90,
};

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: { name: string; startTime: number; endTime: number }[];
}

/** What each suite took, against its budget. */
function sayBudgets({ testResults }: Report): void {
  const spent = new Map<string, number>();
  for (const { name, startTime, endTime } of testResults) {
    const suite = /[\\/]test[\\/](\w+)[\\/]/.exec(name)?.[1] ?? 'others';
    spent.set(suite, (spent.get(suite) ?? 0) + (endTime - startTime) / 1000);
  }
  for (const [suite, seconds] of [...spent].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const budget = budgets[suite] ?? 30;
    const over = seconds > budget && process.env.KAIROS_NIGHTLY === undefined ? '  over its budget' : '';
    console.log(`${suite.padEnd(10)} ${seconds.toFixed(0).padStart(4)} s of ${budget} s${over}`);
  }
}

let failed = [typed, linted, tested].filter((ok) => !ok).length;
if (existsSync(report)) {
  const results = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const { numPassedTests, numFailedTests, numPendingTests } = results;
  if (whole) sayBudgets(results);
  failed = Math.max(numFailedTests, failed);
  console.log(`${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped`);
}
rmSync(folder, { recursive: true, force: true });
process.exit(failed === 0 && tested ? 0 : 1);
