// Product pictures on a laptop: the shop's own host does not exist here, so the viewer shows the files of a folder instead.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const TYPES: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
};

export class Pictures {
  readonly #folder: string;
  readonly #names: ReadonlySet<string>;

  /** Pictures of a folder; a folder that is not there has none. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#names = new Set(existsSync(folder) ? readdirSync(folder).filter((name) => extname(name) in TYPES) : []);
  }

  /** The page with each picture that is in the folder shown from `address` + its name. Other addresses stay. */
  shownFrom(address: string, html: string): string {
    return html.replace(/(\ssrc=")https:\/\/[^"]*\/([\w.-]+)"/g, (all, before: string, name: string) =>
      this.#names.has(name) ? `${before}${address}${name}"` : all,
    );
  }

  /** The file of that name and its media type, or undefined. */
  file(name: string): { type: string; body: Buffer } | undefined {
    if (!this.#names.has(name)) return undefined;
    return { type: TYPES[extname(name)] as string, body: readFileSync(join(this.#folder, name)) };
  }
}
