// The parts of the functions, made from the environment when first asked for and kept for the process.
import { S3Bucket } from './bucket.ts';
import { Bus } from './bus.ts';
import { env, envNumber } from './env.ts';
import { once } from './handler.ts';
import { Queue } from './queue.ts';
import { documentClient, Table } from './table.ts';

// Marked pure, so that a bundle holds only the parts that its function asks for.
export const table = /* @__PURE__ */ once(() => new Table(documentClient(), env('table'), envNumber('shards')));
export const bucket = /* @__PURE__ */ once(() => new S3Bucket(env('bucket')));
export const queue = /* @__PURE__ */ once(() => new Queue());
export const bus = /* @__PURE__ */ once(() => new Bus(env('bus')));
