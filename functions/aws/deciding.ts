// The parts of functions that decide: the book and the recorder. Apart from the others, since they bring all rules along.
import { uuidv7 } from 'uuidv7';
import { BookStore } from './book-store.ts';
import { now } from './clock.ts';
import { log, once } from './handler.ts';
import { readModels } from './model-store.ts';
import { bucket, table } from './parts.ts';
import { Recorder } from './recorder.ts';

export const books = /* @__PURE__ */ once(
  () => new BookStore({ table: table(), bucket: bucket(), now, log, models: readModels }),
);
/** The book for whoever decides over nobody: without models, and without the schemas that check them. */
export const plainBooks = /* @__PURE__ */ once(() => new BookStore({ table: table(), bucket: bucket(), now, log }));
export const recorder = /* @__PURE__ */ once(
  () => new Recorder({ table: table(), books: books(), now, newId: uuidv7 }),
);
