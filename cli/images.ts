// Pictures of templates/images that e-mails show: found in the layouts, checked, and named by what they hold.
import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Fault, suggest } from '../domain/fault.ts';

const MOST_BYTES = 1_000_000;
/** Where a layout names a picture. */
const NAMED = /(\b(?:src|background|background-url)=["']|url\(\s*["']?)images\/([^"')]*)/g;

/** The pictures that there are: a folder, or none. */
export interface ImageFiles {
  names: readonly string[];
  read(name: string): Promise<Uint8Array>;
}

/** One picture as it is published. */
export interface Image {
  /** The name of its object below `images/`: the same bytes have the same one. */
  name: string;
  type: string;
  body: Uint8Array;
}

export const NO_IMAGES: ImageFiles = {
  names: [],
  read: (name) => Promise.reject(new Error(`there is no picture ${name}`)),
};

/** The files of `images/` inside a folder of templates; none where it has no such folder. */
export async function imagesIn(templates: string): Promise<ImageFiles> {
  const folder = path.join(templates, 'images');
  const names = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return {
    names: names.map((name) => name.split(path.sep).join('/')).sort(),
    read: (name) => readFile(path.join(folder, name)),
  };
}

/**
 * The pictures that these MJML files name, by file name. Faults name the layout and line: a file that is not there, is no
 * picture, or is too large.
 */
export async function readImages(
  layouts: ReadonlyMap<string, string>,
  files: ImageFiles,
): Promise<{ images: Map<string, Image>; faults: Fault[] }> {
  const images = new Map<string, Image>();
  const faults: Fault[] = [];
  const refused = new Map<string, Pick<Fault, 'message' | 'remedy'>>();
  for (const [file, layout] of layouts) {
    for (const { 2: name = '', index } of layout.matchAll(NAMED)) {
      if (images.has(name)) continue;
      const read = refused.get(name) ?? (await readImage(name, files));
      if ('body' in read) images.set(name, read);
      else {
        refused.set(name, read);
        faults.push({ code: 'email.image', file, path: `line ${layout.slice(0, index).split('\n').length}`, ...read });
      }
    }
  }
  return { images, faults };
}

async function readImage(name: string, files: ImageFiles): Promise<Image | Pick<Fault, 'message' | 'remedy'>> {
  if (/\{[{%]/.test(name)) {
    return {
      message: `the picture "images/${name}" is not known before it is sent.`,
      remedy: 'Write the names of pictures out; those of products come from the catalogue: {{ product.imageUrl }}.',
    };
  }
  if (!files.names.includes(name)) {
    const remedy = suggest(name, files.names) ?? 'Put the file into templates/images.';
    return { message: `the picture "images/${name}" does not exist.`, remedy };
  }
  const body = await files.read(name);
  if (body.length > MOST_BYTES) {
    return {
      message: `the picture "images/${name}" holds ${(body.length / 1_000_000).toFixed(1)} MB; at most 1 MB is published.`,
      remedy: 'Make it smaller: twice the width at which it is shown is enough.',
    };
  }
  const kind = kindOf(body);
  if (kind === undefined) {
    return {
      message: `the picture "images/${name}" is no PNG, JPEG, GIF or WebP.`,
      remedy: 'Save it as one of them: mail programs show no other.',
    };
  }
  return {
    name: `${hash('sha256', body, 'hex').slice(0, 32)}.${kind}`,
    type: `image/${kind === 'jpg' ? 'jpeg' : kind}`,
    body,
  };
}

/** By its first bytes: what a file is called proves nothing. */
function kindOf(body: Uint8Array): 'png' | 'jpg' | 'gif' | 'webp' | undefined {
  const first = Buffer.from(body.subarray(0, 12)).toString('latin1');
  if (first.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (first.startsWith('\xff\xd8\xff')) return 'jpg';
  if (/^GIF8[79]a/.test(first)) return 'gif';
  return /^RIFF[\s\S]{4}WEBP/.test(first) ? 'webp' : undefined;
}

/**
 * A layout whose pictures lead to where they are served, which is known when it is sent. What was refused is said once, by
 * `readImages`.
 */
export function withImages(layout: string, images: ReadonlyMap<string, Image>): string {
  return layout.replace(NAMED, (_, before: string, name: string) => {
    return `${before}{{ links.images }}/${images.get(name)?.name ?? 'refused'}`;
  });
}
