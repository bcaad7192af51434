// Synthesises the stack of stage `laptop`, once per state of the sources.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { KairosError } from '../domain/fault.ts';

/** What the synthesised app depends on; files are read whole. */
const SOURCES = ['infra', 'functions', 'domain', 'package-lock.json', 'cdk.json', 'tsconfig.json'];
const STACK = 'Kairos-laptop';
/** Older results that are kept, as are all of the last hour: another process may still be running from one. */
const KEPT = 3;
const HOUR = 3_600_000;

export interface Synthesised {
  template: object;
  /** The folder of assets. */
  assets: string;
  /** False when an earlier result was found. */
  fresh: boolean;
}

/**
 * Answers the template of stage laptop and its assets; runs the CDK app when its sources have changed since.
 * `root` is the project's folder, `given` the CDK context beside that of cdk.json. Throws KairosError with the app's
 * own words when it fails.
 */
export async function synthesise(root: string, given: Record<string, unknown> = {}): Promise<Synthesised> {
  const out = join(root, 'cdk.out');
  const name = `laptop-${hashOf(root, JSON.stringify(given))}`;
  const assets = join(out, name);
  const file = join(assets, `${STACK}.template.json`);
  const fresh = !existsSync(file);
  if (fresh) await run(root, out, assets, given);
  return { template: JSON.parse(readFileSync(file, 'utf8')) as object, assets, fresh };
}

async function run(root: string, out: string, assets: string, given: object): Promise<void> {
  // A folder of its own until it is whole: another process may synthesise the same.
  const draft = `${assets}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const { context = {} } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { context?: object };
  try {
    await promisify(execFile)(process.execPath, ['infra/app.ts'], {
      cwd: root,
      maxBuffer: 64 * 1024 * 1024,
      env: {
        // npm's own variables would make the bundler's `npx` repeat the command that started us.
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))),
        PATH: `${quickNpx(root, draft)}${delimiter}${process.env.PATH}`,
        CDK_OUTDIR: draft,
        CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...given, stage: 'laptop' }),
      },
    });
    if (!existsSync(join(draft, `${STACK}.template.json`))) throw new Error(`it wrote no ${STACK}.template.json`);
    rmSync(join(draft, '.bin'), { recursive: true, force: true });
    if (existsSync(assets)) rmSync(draft, { recursive: true, force: true });
    else renameSync(draft, assets);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (existsSync(assets)) return;
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new KairosError({
      code: 'laptop.synth',
      path: 'infra/app.ts',
      message: `the CDK app failed: ${stderr?.trim() || message}`,
    });
  }
  const old = readdirSync(out)
    .filter((one) => /^laptop-[0-9a-f]+$/.test(one))
    .map((one) => ({ one, at: statSync(join(out, one)).mtimeMs }))
    .sort((a, b) => b.at - a.at)
    .slice(KEPT)
    .filter(({ at }) => at < Date.now() - HOUR);
  for (const { one } of old) rmSync(join(out, one), { recursive: true, force: true });
}

/**
 * A folder with an `npx` of two lines that starts what is installed here. The bundler calls `npx --no-install esbuild` once
 * per function, and npm's own start is nine tenths of that call.
 */
function quickNpx(root: string, draft: string): string {
  const folder = join(draft, '.bin');
  mkdirSync(folder);
  const script = `#!/bin/sh\nshift\nname="$1"\nshift\nexec "${join(root, 'node_modules', '.bin')}/$name" "$@"\n`;
  if (process.platform !== 'win32') writeFileSync(join(folder, 'npx'), script, { mode: 0o755 });
  return folder;
}

function hashOf(root: string, given: string): string {
  const hash = createHash('sha256').update(given);
  for (const source of SOURCES) {
    const path = join(root, source);
    if (!existsSync(path)) continue;
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, encoding: 'utf8' })
          .map((one) => join(path, one))
          .filter((one) => statSync(one).isFile())
          .sort()
      : [path];
    for (const one of files)
      hash
        .update(`${one.slice(root.length)}\0`)
        .update(readFileSync(one))
        .update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}
