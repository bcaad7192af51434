// Who gives a command: the AWS principal, or the user of this machine for a laptop run.
import { userInfo } from 'node:os';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { KairosError } from '../domain/fault.ts';
import type { Target } from './outputs.ts';

/** The name under which an action is written down. Throws KairosError `person.unknown` when AWS does not say. */
export async function personName(target: Pick<Target, 'stage'>, sts?: STSClient): Promise<string> {
  if (target.stage === 'laptop') return userOfThisMachine();
  try {
    const { Arn } = await (sts ?? new STSClient({})).send(new GetCallerIdentityCommand({}));
    if (Arn !== undefined) return Arn;
  } catch (error) {
    throw unknown((error as Error).name, error);
  }
  throw unknown('no name', undefined);
}

/** The name for what must not wait for AWS's answer: a stop in an emergency. */
export async function personNameAnyway(asked: Promise<string>): Promise<string> {
  try {
    return await asked;
  } catch {
    return `${userOfThisMachine()} (AWS did not say who)`;
  }
}

/** A container may run under a number that no user has. */
function userOfThisMachine(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? process.env.USERNAME ?? 'somebody at this machine';
  }
}

const unknown = (why: string, cause: unknown): KairosError =>
  new KairosError(
    {
      code: 'person.unknown',
      path: '',
      message: `AWS does not say who you are (${why}), and what is done is written down with a name: nothing was done.`,
      remedy: 'Sign in again (aws sso login), or look at AWS_PROFILE and at your permissions (sts:GetCallerIdentity).',
    },
    { cause },
  );
