// The bucket: texts and files by name.
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';

export interface Bucket {
  /** The text under a name, or undefined when there is none. */
  get(name: string): Promise<string | undefined>;
  put(name: string, body: string | Uint8Array, contentType: string): Promise<void>;
}

export interface File {
  body: Uint8Array;
  type: string;
}

/** An object as a listing tells it. The tag is another one as soon as the bytes are. */
export interface Listed {
  name: string;
  bytes: number;
  tag: string;
  /** Epoch milliseconds. */
  modified: number;
}

/** A bucket whose objects are listed, and changed only while they are what was read. */
export interface Files extends Bucket {
  /** The objects whose names begin so, in the order of names. */
  list(prefix: string): AsyncIterable<Listed>;
  /** The bytes of an object with its tag, or undefined when there is none. */
  read(name: string): Promise<{ body: Uint8Array; tag: string } | undefined>;
  /**
   * Writes an object in place of the one with this tag; without one, where there is none yet. False where the object is
   * another one by now, and nothing was written.
   */
  replace(name: string, body: string | Uint8Array, contentType: string, tag: string | undefined): Promise<boolean>;
  /** Takes an object away. With a tag: false where it is another one by now, and stays. One that is gone is taken away. */
  remove(name: string, tag?: string): Promise<boolean>;
}

export class S3Bucket implements Files {
  readonly #client: S3Client;
  readonly #name: string;
  constructor(name: string, client: S3Client = new S3Client({ forcePathStyle: true })) {
    this.#name = name;
    this.#client = client;
  }

  async get(name: string): Promise<string | undefined> {
    try {
      const answer = await this.#client.send(new GetObjectCommand({ Bucket: this.#name, Key: name }));
      return await answer.Body?.transformToString();
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  /**
   * The bytes of a file and its media type, or undefined when there is none: S3 refuses what is not there to whom it does
   * not let list.
   */
  async file(name: string): Promise<File | undefined> {
    try {
      const { Body, ContentType } = await this.#client.send(new GetObjectCommand({ Bucket: this.#name, Key: name }));
      const body = await Body?.transformToByteArray();
      return body === undefined ? undefined : { body, type: ContentType ?? 'application/octet-stream' };
    } catch (error) {
      if (['NoSuchKey', 'AccessDenied'].includes((error as Error).name)) return undefined;
      throw error;
    }
  }

  async put(name: string, body: string | Uint8Array, contentType: string): Promise<void> {
    await this.#client.send(
      new PutObjectCommand({ Bucket: this.#name, Key: name, Body: body, ContentType: contentType }),
    );
  }

  async *list(prefix: string): AsyncIterable<Listed> {
    let from: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#name,
          Prefix: prefix,
          ...(from !== undefined && { ContinuationToken: from }),
        }),
      );
      for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
        if (Key === undefined) continue;
        yield { name: Key, bytes: Size ?? 0, tag: ETag ?? '', modified: LastModified?.getTime() ?? 0 };
      }
      from = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (from !== undefined);
  }

  async read(name: string): Promise<{ body: Uint8Array; tag: string } | undefined> {
    try {
      const { Body, ETag } = await this.#client.send(new GetObjectCommand({ Bucket: this.#name, Key: name }));
      const body = await Body?.transformToByteArray();
      return body === undefined ? undefined : { body, tag: ETag ?? '' };
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  async replace(
    name: string,
    body: string | Uint8Array,
    contentType: string,
    tag: string | undefined,
  ): Promise<boolean> {
    return unlessChanged(() =>
      this.#client.send(
        new PutObjectCommand({
          Bucket: this.#name,
          Key: name,
          Body: body,
          ContentType: contentType,
          ...(tag === undefined ? { IfNoneMatch: '*' } : { IfMatch: tag }),
        }),
      ),
    );
  }

  async remove(name: string, tag?: string): Promise<boolean> {
    return unlessChanged(
      () =>
        this.#client.send(
          new DeleteObjectCommand({ Bucket: this.#name, Key: name, ...(tag !== undefined && { IfMatch: tag }) }),
        ),
      true,
    );
  }
}

/** False where the condition of a call was false. An object that is gone answers a condition with 404: `gone`. */
async function unlessChanged(call: () => Promise<unknown>, gone = false): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
    if (name === 'NoSuchKey' || $metadata?.httpStatusCode === 404) return gone;
    if (name === 'PreconditionFailed' || name === 'ConditionalRequestConflict') return false;
    if ($metadata?.httpStatusCode === 412 || $metadata?.httpStatusCode === 409) return false;
    throw error;
  }
}
