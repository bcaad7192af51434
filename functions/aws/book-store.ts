// The published book: pointers and controls from the table, definitions and models from the bucket, the last good ones kept.
import type { Book, Controls, Definitions } from '../../domain/book.ts';
import { compileBook, emptyBook } from '../../domain/book.ts';
import type { PublishedModels } from '../../domain/insight/models.ts';
import type { Bucket } from './bucket.ts';
import { readControls } from './controls.ts';
import { faultOf, type Log } from './handler.ts';
import { type ModelsReader, modelsPointer } from './model-store.ts';
import { key, type Table } from './table.ts';

const MOST_AGE = 10_000;
/** Books, each with its models, that stay compiled: the present one and those that contacts were last decided with. */
const MOST_KEPT = 8;
/** Milliseconds until models that could not be read are asked for again. */
const MODELS_AGAIN = 60_000;

export interface Pointer {
  hash: string;
  ordinal: number;
  publishedAt: number;
}

export class BookStore {
  readonly #table: Table;
  readonly #bucket: Bucket;
  readonly #now: () => number;
  readonly #log: Log;
  readonly #readModels: ModelsReader | undefined;
  #models: PublishedModels | undefined;
  #refused: { hash: string; at: number } | undefined;
  readonly #kept = new Map<string, Book>();
  #current: { book: Book; readAt: number } | undefined;
  #reading: Promise<Book> | undefined;
  #saidEmpty = false;

  /** Without `models` the book has none: for whoever decides over nobody. */
  constructor(deps: { table: Table; bucket: Bucket; now: () => number; log: Log; models?: ModelsReader }) {
    this.#table = deps.table;
    this.#bucket = deps.bucket;
    this.#now = deps.now;
    this.#log = deps.log;
    this.#readModels = deps.models;
  }

  /** The book that the pointer names, at most ten seconds old; the empty book when nothing is published. */
  async current(): Promise<Book> {
    const known = this.#current;
    if (known !== undefined && Math.abs(this.#now() - known.readAt) <= MOST_AGE) return known.book;
    return this.fresh();
  }

  /** Reads pointers and controls now. Failing that, the last good book stays and an error is logged. */
  async fresh(): Promise<Book> {
    this.#reading ??= this.#load().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** The current book, read again when it is older than a contact that another worker has decided over. */
  async atLeast(ordinal: number): Promise<Book> {
    const book = await this.current();
    return book.definitions.ordinal >= ordinal ? book : this.fresh();
  }

  /** A book by its hash with the present controls, or undefined when it is not in the bucket. */
  async byHash(hash: string): Promise<Book | undefined> {
    const current = await this.current();
    if (current.hash === hash) return current;
    const book = await this.#open(hash, current.controls);
    if (book !== undefined) book.controls = current.controls;
    return book;
  }

  async #load(): Promise<Book> {
    try {
      const found = await this.#table.read([key.pointer(), key.controls(), key.models()]);
      await this.#loadModels(modelsPointer(found.get(key.models()))?.hash);
      const pointer = found.get(key.pointer()) as Pointer | undefined;
      const controls = readControls(found.get(key.controls()));
      const book = pointer === undefined ? this.#empty() : await this.#open(pointer.hash, controls);
      if (book === undefined) throw new Error('book: the pointer names a book that is not in the bucket');
      book.controls = controls;
      this.#current = { book, readAt: this.#now() };
      return book;
    } catch (error) {
      if (this.#current === undefined) throw error;
      this.#log.error('book.unreadable', { ...faultOf(error), kept: this.#current.book.hash });
      this.#current.readAt = this.#now();
      return this.#current.book;
    }
  }

  /** Takes the models of a hash. What cannot be read stops no decision: the last good ones stay, or none. */
  async #loadModels(hash: string | undefined): Promise<void> {
    if (this.#readModels === undefined || hash === this.#models?.hash) return;
    if (hash === undefined) {
      this.#models = undefined;
      return;
    }
    if (this.#refused?.hash === hash && Math.abs(this.#now() - this.#refused.at) < MODELS_AGAIN) return;
    try {
      this.#models = await this.#readModels(this.#bucket, hash);
      this.#refused = undefined;
    } catch (error) {
      this.#refused = { hash, at: this.#now() };
      this.#log.error('models.unreadable', { ...faultOf(error), hash, kept: this.#models?.hash ?? 'none' });
    }
  }

  #empty(): Book {
    if (!this.#saidEmpty) this.#log.warn('book.none', { says: 'nothing is published: recording, sending nothing' });
    this.#saidEmpty = true;
    return emptyBook();
  }

  async #open(hash: string, controls: Controls): Promise<Book | undefined> {
    const both = `${hash} ${this.#models?.hash ?? ''}`;
    const kept = this.#kept.get(both);
    if (kept !== undefined) return kept;
    const text = await this.#bucket.get(`books/${hash}.json`);
    if (text === undefined) return undefined;
    const book = compileBook(JSON.parse(text) as Definitions, hash, controls, this.#models);
    if (this.#kept.size >= MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#kept.set(both, book);
    return book;
  }
}
