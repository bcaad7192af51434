// S3: objects in memory, behind the path-style REST calls that clients make.
import { createHash } from 'node:crypto';
import { escapeText } from './page.ts';
import type { Answer, Call } from './service.ts';
import { ServiceError } from './service.ts';

interface StoredObject {
  body: Buffer;
  etag: string;
  headers: Record<string, string>;
  modified: number;
}

/** The buckets of one laptop. */
export class Buckets {
  readonly #buckets: Map<string, Map<string, StoredObject>>;
  readonly #now: () => number;

  constructor(names: readonly string[], now: () => number) {
    this.#buckets = new Map(names.map((name) => [name, new Map()]));
    this.#now = now;
  }

  has(bucket: string): boolean {
    return this.#buckets.has(bucket);
  }

  put(bucket: string, key: string, body: Buffer, headers: Record<string, string> = {}): StoredObject {
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    const stored = { body, etag, headers, modified: this.#now() };
    this.#objects(bucket).set(key, stored);
    return stored;
  }

  get(bucket: string, key: string): Buffer | undefined {
    return this.#objects(bucket).get(key)?.body;
  }

  keys(bucket: string, prefix = ''): string[] {
    return [...this.#objects(bucket).keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  /** The objects below a prefix, each with its etag. */
  etags(bucket: string, prefix: string): Map<string, string> {
    const found = [...this.#objects(bucket)].filter(([key]) => key.startsWith(prefix));
    return new Map(found.map(([key, { etag }]) => [key, etag]));
  }

  /** One REST call. Throws ServiceError; `s3Fault` says it in XML. */
  call({ method, path, query, headers, body }: Call): Answer {
    const [, bucket = '', key = ''] = /^\/([^/]+)\/?(.*)$/s.exec(path) ?? [];
    const objects = this.#objects(bucket);
    if (key === '') {
      if (method === 'HEAD') return { status: 200 };
      if (method === 'GET' && query.get('list-type') === '2') return this.#list(bucket, objects, query);
      if (method === 'POST' && query.has('delete')) return this.#deleteMany(objects, body);
      throw new ServiceError('NotImplemented', `The laptop's S3 does not know ${method} on a bucket.`, 501);
    }
    for (const name of query.keys()) {
      if (name !== 'x-id' && name !== 'versionId') {
        throw new ServiceError('NotImplemented', `The laptop's S3 does not know "${name}".`, 501);
      }
    }
    const found = objects.get(key);
    switch (method) {
      case 'PUT': {
        if (headers['x-amz-copy-source'] !== undefined)
          throw new ServiceError('NotImplemented', 'The laptop copies no objects.', 501);
        if (headers['if-none-match'] === '*' && found !== undefined) throw precondition();
        if (headers['if-match'] !== undefined && found === undefined) {
          throw new ServiceError('NoSuchKey', 'The specified key does not exist.', 404);
        }
        if (headers['if-match'] !== undefined && headers['if-match'] !== found?.etag) throw precondition();
        const kept = Object.entries(headers).filter(
          ([name]) => KEPT_HEADERS.has(name) || name.startsWith('x-amz-meta-'),
        ) as [string, string][];
        // `aws-chunked` speaks of the transfer only
        const stored = this.put(
          bucket,
          key,
          plainBody(headers, body),
          Object.fromEntries(
            kept
              .map(([name, value]) => [name, value.replace(/^aws-chunked,?\s*/, '')])
              .filter(([, value]) => value !== ''),
          ),
        );
        return { status: 200, headers: { etag: stored.etag } };
      }
      case 'GET':
      case 'HEAD': {
        if (found === undefined) {
          if (method === 'HEAD') return { status: 404 };
          throw new ServiceError('NoSuchKey', 'The specified key does not exist.', 404);
        }
        return answerWith(found, method === 'GET' ? headers.range : undefined, method === 'HEAD');
      }
      case 'DELETE':
        if (headers['if-match'] !== undefined && found !== undefined && headers['if-match'] !== found.etag) {
          throw precondition();
        }
        objects.delete(key);
        return { status: 204 };
      default:
        throw new ServiceError('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405);
    }
  }

  #objects(bucket: string): Map<string, StoredObject> {
    const objects = this.#buckets.get(bucket);
    if (objects === undefined) throw new ServiceError('NoSuchBucket', 'The specified bucket does not exist', 404);
    return objects;
  }

  #list(bucket: string, objects: Map<string, StoredObject>, query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const most = Math.min(Number(query.get('max-keys') ?? 1000), 1000);
    const token = query.get('continuation-token');
    const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString();
    const contents: string[] = [];
    const folders = new Set<string>();
    let last = '';
    let truncated = false;
    for (const key of [...objects.keys()].filter((one) => one.startsWith(prefix) && one > after).sort()) {
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      const folder = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
      if (folder !== undefined && (folders.has(folder) || after.startsWith(folder))) continue;
      if (contents.length + folders.size === most) {
        truncated = true;
        break;
      }
      last = key;
      if (folder !== undefined) {
        folders.add(folder);
        continue;
      }
      const { etag, body, modified } = objects.get(key)!;
      contents.push(
        `<Contents><Key>${escapeText(key)}</Key><LastModified>${new Date(modified).toISOString()}</LastModified>` +
          `<ETag>${escapeText(etag)}</ETag><Size>${body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
      );
    }
    const prefixes = [...folders].map(
      (folder) => `<CommonPrefixes><Prefix>${escapeText(folder)}</Prefix></CommonPrefixes>`,
    );
    const next = truncated
      ? `<NextContinuationToken>${Buffer.from(last).toString('base64url')}</NextContinuationToken>`
      : '';
    return xml(
      200,
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${escapeText(bucket)}</Name>` +
        `<Prefix>${escapeText(prefix)}</Prefix><KeyCount>${contents.length + folders.size}</KeyCount><MaxKeys>${most}</MaxKeys>` +
        `<IsTruncated>${truncated}</IsTruncated>${next}${contents.join('')}${prefixes.join('')}</ListBucketResult>`,
    );
  }

  #deleteMany(objects: Map<string, StoredObject>, body: Buffer): Answer {
    const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => unescapeText(key!));
    for (const key of keys) objects.delete(key);
    const deleted = keys.map((key) => `<Deleted><Key>${escapeText(key)}</Key></Deleted>`).join('');
    return xml(200, `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${deleted}</DeleteResult>`);
  }
}

/** A ServiceError as S3 says it. */
export function s3Fault(error: ServiceError): Answer {
  return xml(error.status, `<Error><Code>${error.type}</Code><Message>${escapeText(error.message)}</Message></Error>`);
}

const KEPT_HEADERS = new Set([
  'content-type',
  'content-encoding',
  'cache-control',
  'content-disposition',
  'content-language',
]);

const precondition = () =>
  new ServiceError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);

function answerWith(found: StoredObject, range: string | undefined, head: boolean): Answer {
  const headers = {
    ...found.headers,
    etag: found.etag,
    'last-modified': new Date(found.modified).toUTCString(),
    'accept-ranges': 'bytes',
  };
  if (head) return { status: 200, headers: { ...headers, 'content-length': String(found.body.length) } };
  const wanted = /^bytes=(\d*)-(\d*)$/.exec(range ?? '');
  if (wanted === null) return { status: 200, headers, body: found.body };
  const size = found.body.length;
  const from = wanted[1] === '' ? Math.max(0, size - Number(wanted[2])) : Number(wanted[1]);
  const to = wanted[1] === '' || wanted[2] === '' ? size - 1 : Math.min(Number(wanted[2]), size - 1);
  if (from > to) throw new ServiceError('InvalidRange', 'The requested range is not satisfiable', 416);
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${from}-${to}/${size}` },
    body: found.body.subarray(from, to + 1),
  };
}

/** The body as it was before clients wrapped it in chunks with checksums or signatures. */
function plainBody(headers: Call['headers'], body: Buffer): Buffer {
  if (!String(headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-')) return Buffer.from(body);
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = body.indexOf('\r\n', at);
    const size = line < 0 ? Number.NaN : Number.parseInt(body.toString('latin1', at, line), 16);
    if (Number.isNaN(size)) throw new ServiceError('IncompleteBody', 'The chunked body cannot be read.');
    if (size === 0) return Buffer.concat(parts);
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

const xml = (status: number, text: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n${text}`,
});

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const unescapeText = (text: string) =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) =>
    hex !== undefined
      ? String.fromCodePoint(Number.parseInt(hex, 16))
      : decimal !== undefined
        ? String.fromCodePoint(Number(decimal))
        : (ENTITIES[name!] ?? whole),
  );
