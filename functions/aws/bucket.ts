// The bucket: texts and files by name.
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

export interface Bucket {
  /** The text under a name, or undefined when there is none. */
  get(name: string): Promise<string | undefined>;
  put(name: string, body: string | Uint8Array, contentType: string): Promise<void>;
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

  async put(name: string, body: string | Uint8Array, contentType: string): Promise<void> {
    await this.#client.send(
      new PutObjectCommand({ Bucket: this.#name, Key: name, Body: body, ContentType: contentType }),
    );
  }
}
