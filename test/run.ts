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
let failed = [typed, linted, tested].filter((ok) => !ok).length;
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
  failed = Math.max(numFailedTests, failed);
  console.log(`${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped`);
}
rmSync(folder, { recursive: true, force: true });
process.exit(failed === 0 && tested ? 0 : 1);
