// The secret: keys of links, and the sources that may send events.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import type { SourceRights } from '../../domain/event.ts';
import type { LinkKeys } from '../../domain/links.ts';
import { now } from './clock.ts';
import { env } from './env.ts';
import { once } from './handler.ts';

const MOST_AGE = 5 * 60_000;

export interface Source extends SourceRights {
  /** SHA-256 in hex of its secret. */
  hash: string;
}

export interface Secrets {
  keys: LinkKeys;
  sources: Record<string, Source>;
}

const Sources = z.record(
  z.string(),
  z.object({
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    events: z.union([z.literal('*'), z.array(z.string())]),
    identify: z.boolean().default(false),
    consent: z.boolean().default(false),
    address: z.boolean().default(false),
  }),
);
const Secret = z.looseObject({ current: z.string().min(1), sources: Sources.default({}) });

/** Reads the text of a secret. Every text member beside `current` is a key of links under its name. */
export function readSecret(text: string): Secrets {
  const { current, sources, ...others } = Secret.parse(JSON.parse(text));
  const keys: LinkKeys = { current, keys: {} };
  for (const [id, value] of Object.entries(others)) if (typeof value === 'string') keys.keys[id] = value;
  if (keys.keys[current] === undefined) throw new Error('secret: "current" names a key that is not there');
  return { keys, sources };
}

export class SecretStore {
  readonly #client: SecretsManagerClient;
  readonly #name: string;
  readonly #now: () => number;
  #held: { secrets: Secrets; readAt: number } | undefined;

  constructor(name: string, now: () => number, client: SecretsManagerClient = new SecretsManagerClient({})) {
    this.#name = name;
    this.#now = now;
    this.#client = client;
  }

  /** The secret, at most five minutes old; the last good one where it cannot be read. */
  async read(): Promise<Secrets> {
    const held = this.#held;
    if (held !== undefined && Math.abs(this.#now() - held.readAt) <= MOST_AGE) return held.secrets;
    try {
      const answer = await this.#client.send(new GetSecretValueCommand({ SecretId: this.#name }));
      const secrets = readSecret(answer.SecretString ?? '');
      this.#held = { secrets, readAt: this.#now() };
      return secrets;
    } catch (error) {
      if (held === undefined) throw error;
      return held.secrets;
    }
  }
}

/** The secret of this process, by its name in the environment. */
export const secrets = once(() => new SecretStore(env('secret'), now));
