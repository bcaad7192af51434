// The models of insight: a file in the bucket under its hash, and the pointer that says which one stands.
import { canonical } from '../../domain/canonical.ts';
import { MODEL_PARTS, type Models, type PublishedModels } from '../../domain/insight/models.ts';
import { type ModelsFile, parseModelsFile } from '../../domain/insight/models-file.ts';
import { sha256 } from '../../domain/interaction.ts';
import type { Bucket } from './bucket.ts';
import { type Item, key, type Table } from './table.ts';

/** Which models stand. */
export interface ModelsPointer {
  hash: string;
  ordinal: number;
  /** When it was moved. */
  at: number;
}

/** The name of a file of models in the bucket. */
export const modelsName = (hash: string): string => `models/${hash}.json`;

/** Answers the models of a hash, checked. Throws where the file is missing, or is not what its name or its shape say. */
export type ModelsReader = (bucket: Bucket, hash: string) => Promise<PublishedModels>;

/** Reads and checks a file of models. */
export const readModels: ModelsReader = async (bucket, hash) => {
  const text = await bucket.get(modelsName(hash));
  if (text === undefined) throw new Error('models: the pointer names a file that is not in the bucket');
  if (sha256(text) !== hash) throw new Error('models: the file is not the one that its name says');
  return { hash, ...parseModelsFile(text) };
};

/** The pointer of its item; undefined before the first fit. */
export function modelsPointer(item: Item | undefined): ModelsPointer | undefined {
  if (item === undefined) return undefined;
  return { hash: item.hash as string, ordinal: item.ordinal as number, at: item.at as number };
}

/** The models that stand; undefined before the first fit. Throws where they cannot be read. */
export async function currentModels(table: Table, bucket: Bucket): Promise<PublishedModels | undefined> {
  const pointer = modelsPointer(await table.readOne(key.models()));
  return pointer === undefined ? undefined : readModels(bucket, pointer.hash);
}

/** The models that stand; undefined where there are none, or none that can be read: `kairos status` says so. */
export async function readableModels(table: Table, bucket: Bucket): Promise<PublishedModels | undefined> {
  try {
    return await currentModels(table, bucket);
  } catch {
    return undefined;
  }
}

/**
 * Puts models into the bucket and moves the pointer to them, from those that they were made to follow. Answers them as
 * they stand now; undefined where somebody else was faster: then nothing has changed.
 */
export async function storeModels(
  models: Models,
  before: Pick<PublishedModels, 'hash' | 'ordinal' | 'since' | 'models'> | undefined,
  { table, bucket, now }: { table: Table; bucket: Bucket; now: number },
): Promise<PublishedModels | undefined> {
  const file = fileOf(models, before);
  const text = canonical(file);
  // Nothing is written that could not be read again.
  parseModelsFile(text);
  const hash = sha256(text);
  await bucket.put(modelsName(hash), text, 'application/json');
  const moved = await table.update(key.models(), {
    UpdateExpression: 'SET #hash = :hash, #ordinal = :ordinal, #at = :now, #shape = :shape',
    ConditionExpression: before === undefined ? 'attribute_not_exists(pk)' : '#hash = :before',
    ExpressionAttributeNames: { '#hash': 'hash', '#ordinal': 'ordinal', '#at': 'at', '#shape': 'shape' },
    ExpressionAttributeValues: {
      ':hash': hash,
      ':ordinal': file.ordinal,
      ':now': now,
      ':shape': 1,
      ...(before === undefined ? {} : { ':before': before.hash }),
    },
  });
  return moved ? { hash, ...file } : undefined;
}

function fileOf(models: Models, before: Pick<PublishedModels, 'ordinal' | 'since' | 'models'> | undefined): ModelsFile {
  const ordinal = (before?.ordinal ?? 0) + 1;
  const since: ModelsFile['since'] = {};
  for (const part of MODEL_PARTS) {
    if (models[part] !== undefined) since[part] = before?.since[part] ?? ordinal;
  }
  return { ordinal, since, models };
}
