// Secrets Manager: secrets in memory, generated as the template asks.
import { randomInt, randomUUID } from 'node:crypto';
import { ServiceError } from './service.ts';
import type { SecretResource } from './template.ts';

interface Stored {
  resource: SecretResource;
  value: string;
  version: string;
  created: number;
}

/** The secrets of one laptop. */
export class Secrets {
  readonly #secrets: Stored[];
  readonly #now: () => number;

  constructor(resources: readonly SecretResource[], now: () => number) {
    this.#now = now;
    this.#secrets = resources.map((resource) => ({
      resource,
      value: generated(resource),
      version: randomUUID(),
      created: now(),
    }));
  }

  /** One call of the JSON protocol. Throws ServiceError. */
  call(operation: string, given: unknown): object {
    const input = given as { SecretId?: string; SecretString?: string };
    const secret = this.#secrets.find(
      ({ resource }) => input.SecretId === resource.name || input.SecretId === resource.arn,
    );
    if (secret === undefined) {
      throw new ServiceError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
    }
    const { arn, name } = secret.resource;
    switch (operation) {
      case 'GetSecretValue':
        return {
          ARN: arn,
          Name: name,
          VersionId: secret.version,
          SecretString: secret.value,
          VersionStages: ['AWSCURRENT'],
          CreatedDate: secret.created / 1000,
        };
      case 'PutSecretValue':
      case 'UpdateSecret':
        if (input.SecretString === undefined)
          throw new ServiceError('InvalidRequestException', 'You must provide SecretString.');
        secret.value = input.SecretString;
        secret.version = randomUUID();
        secret.created = this.#now();
        return { ARN: arn, Name: name, VersionId: secret.version, VersionStages: ['AWSCURRENT'] };
      case 'DescribeSecret':
        return { ARN: arn, Name: name, VersionIdsToStages: { [secret.version]: ['AWSCURRENT'] } };
      default:
        throw new ServiceError('InvalidRequestException', `The laptop's Secrets Manager does not know ${operation}.`);
    }
  }
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

function generated({ value, generate }: SecretResource): string {
  if (value !== undefined) return value;
  if (generate === undefined) return '';
  const alphabet = [...(LETTERS + (generate.punctuation ? PUNCTUATION : ''))].filter(
    (char) => !generate.exclude.includes(char),
  );
  const random = Array.from({ length: generate.length }, () => alphabet[randomInt(alphabet.length)]).join('');
  if (generate.template === undefined || generate.key === undefined) return random;
  return JSON.stringify({ ...(JSON.parse(generate.template) as object), [generate.key]: random });
}
