// The bucket: texts and files by name.
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

export interface Bucket {
  /** The text under a name, or undefined when there is none. */
  get(name: string): Promise<string | undefined>;
  put(name: string, body: string | Uint8Array, contentType: string): Promise<void>;
}

export interface File {
  body: Uint8Array;
  type: string;
}

export class S3Bucket implements Bucket {
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
}
