// Where a stage lives: the outputs of its stack, from the running laptop or from CloudFormation, and the environment that reaches it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import * as z from 'zod';
import { KairosError } from '../domain/fault.ts';
import { coreStackName } from '../infra/names.ts';

/** A stage that can be spoken to. */
export interface Target {
  stage: string;
  /** Outputs of the core stack: TableName, BucketName, EventsUrl … */
  outputs: Record<string, string>;
  /** Variables that lead SDK clients to the stage; empty for AWS, where the caller's own configuration holds. */
  env: Record<string, string>;
}

const ROOT = path.resolve(import.meta.dirname, '..');
const LaptopFile = z.looseObject({ outputs: z.record(z.string(), z.string()), env: z.record(z.string(), z.string()) });

/** The stage as people give it, or what `.kairos/laptop.json` says when a laptop runs. */
export interface FindOptions {
  stage?: string | undefined;
  /** The project's root, where `.kairos` is. */
  root?: string;
  cloudFormation?: CloudFormationClient;
}

/**
 * The running laptop, or undefined when its file is missing or nothing answers at its address. KAIROS_LAPTOP names
 * another file than `.kairos/laptop.json`, where several run.
 */
export async function findLaptop(root: string = ROOT): Promise<Target | undefined> {
  let text: string;
  try {
    text = readFileSync(process.env.KAIROS_LAPTOP ?? path.join(root, '.kairos', 'laptop.json'), 'utf8');
  } catch {
    return undefined;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = LaptopFile.safeParse(json);
  if (!read.success) return undefined;
  const { outputs, env } = read.data;
  const endpoint = Object.entries(env).find(([name]) => name.startsWith('AWS_ENDPOINT_URL'))?.[1];
  if (endpoint === undefined || !(await answers(endpoint))) return undefined;
  return { stage: 'laptop', outputs, env };
}

/** True when something speaks HTTP there, whatever it says. */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds a stage: `laptop`, or one deployed to AWS. Without a name: the laptop when one runs.
 * Throws KairosError `stage.missing`, `stage.not-running`, `stage.not-deployed` or `stage.unreachable`.
 */
export async function findTarget(options: FindOptions = {}): Promise<Target> {
  const { stage, root = ROOT } = options;
  if (stage === undefined || stage === 'laptop') {
    const laptop = await findLaptop(root);
    if (laptop) return laptop;
    if (stage === 'laptop') {
      throw new KairosError({
        code: 'stage.not-running',
        path: '',
        message: 'No laptop run is up.',
        remedy: 'Start one with npm start, in another terminal.',
      });
    }
    throw new KairosError({
      code: 'stage.missing',
      path: '',
      message: 'No stage is named, and no laptop run is up.',
      remedy: 'Give --stage prod (or dev, staging), or start a laptop run with npm start.',
    });
  }
  return {
    stage,
    outputs: await deployedOutputs(stage, options.cloudFormation ?? new CloudFormationClient({})),
    env: {},
  };
}

async function deployedOutputs(stage: string, cloudFormation: CloudFormationClient): Promise<Record<string, string>> {
  const stack = coreStackName(stage);
  try {
    const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName: stack }));
    const outputs = (Stacks?.[0]?.Outputs ?? []).flatMap(({ OutputKey, OutputValue }) =>
      OutputKey && OutputValue ? [[OutputKey, OutputValue] as const] : [],
    );
    return Object.fromEntries(outputs);
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'ValidationError' && /does not exist/.test(message)) {
      throw new KairosError(
        {
          code: 'stage.not-deployed',
          path: '',
          message: `There is no stack ${stack} in this account and region.`,
          remedy: `Deploy it with npm run deploy -- --stage ${stage}, or look at AWS_PROFILE and AWS_REGION.`,
        },
        { cause: error },
      );
    }
    throw new KairosError(
      {
        code: 'stage.unreachable',
        path: '',
        message: `The stack ${stack} cannot be read (${name}).`,
        remedy: 'Look at AWS_PROFILE, AWS_REGION and your permissions (cloudformation:DescribeStacks).',
      },
      { cause: error },
    );
  }
}

/** The clock of a target: this machine's, or the one of a laptop run, which moves its own. Epoch milliseconds. */
export async function clockOf(target: Target): Promise<() => number> {
  if (target.stage !== 'laptop') return Date.now;
  const url = target.env.AWS_ENDPOINT_URL;
  if (url === undefined) return Date.now;
  const page = await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
  const said = /<time datetime="([^"]+)">/.exec(page)?.[1];
  const ahead = said === undefined ? 0 : Date.parse(said) - Date.now();
  return () => Date.now() + ahead;
}

/** Puts the variables of a target into this process, so that SDK clients made afterwards reach it. */
export function enter(target: Target): void {
  Object.assign(process.env, target.env);
}

/** One output by name. Throws KairosError `stage.output` when the deployed stack is too old to have it. */
export function output(target: Target, name: string): string {
  const value = target.outputs[name];
  if (value === undefined) {
    throw new KairosError({
      code: 'stage.output',
      path: name,
      message: `The stack of stage ${target.stage} has no output of this name.`,
      remedy:
        target.stage === 'laptop'
          ? 'Start the laptop run again.'
          : `Deploy it again with npm run deploy -- --stage ${target.stage}.`,
    });
  }
  return value;
}
