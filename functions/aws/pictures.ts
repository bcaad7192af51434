// Pictures of e-mails: what is published under its hash, never anything else of the bucket.
import type { File, S3Bucket } from './bucket.ts';
import type { PageAnswer } from './pages.ts';

const PICTURE = /\/i\/([0-9a-f]{32}\.(?:png|jpg|gif|webp))$/;
/** Bytes of pictures that a worker keeps: those of a few books. */
const MOST_KEPT = 20_000_000;
const HEADERS = { 'cache-control': 'public, max-age=31536000, immutable', 'x-content-type-options': 'nosniff' };

/** A picture, or a page without words. */
export interface PictureAnswer extends Omit<PageAnswer, 'body'> {
  body: Uint8Array;
}

/** Serves published pictures; what was read once is kept, since a name stands for its bytes. */
export class PictureDoor {
  readonly #bucket: Pick<S3Bucket, 'file'>;
  readonly #kept = new Map<string, File>();
  #bytes = 0;

  constructor(bucket: Pick<S3Bucket, 'file'>) {
    this.#bucket = bucket;
  }

  /** Undefined for a path that is no picture's. */
  async answer(method: string, path: string): Promise<PictureAnswer | undefined> {
    if (!/\/i(\/|$)/.test(path)) return undefined;
    if (method !== 'GET' && method !== 'HEAD') return nothing(405, { allow: 'GET, HEAD' });
    const name = PICTURE.exec(path)?.[1];
    const file = name === undefined ? undefined : await this.#file(name);
    if (file === undefined) return nothing(404, {});
    const headers = { ...HEADERS, 'content-type': file.type };
    return { status: 200, headers, body: method === 'HEAD' ? new Uint8Array() : file.body };
  }

  async #file(name: string): Promise<File | undefined> {
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const file = await this.#bucket.file(`images/${name}`);
    if (file === undefined) return undefined;
    if (this.#bytes + file.body.length > MOST_KEPT) {
      this.#kept.clear();
      this.#bytes = 0;
    }
    this.#kept.set(name, file);
    this.#bytes += file.body.length;
    return file;
  }
}

function nothing(status: number, headers: Record<string, string>): PictureAnswer {
  return { status, headers: { ...headers, 'cache-control': 'no-store' }, body: new Uint8Array() };
}
