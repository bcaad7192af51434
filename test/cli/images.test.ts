// Pictures of the templates: found where layouts name them, refused with their place, named by what they hold.
import { describe, expect, it } from 'vitest';
import { type ImageFiles, readImages, withImages } from '../../cli/images.ts';
import { sayFault } from '../../domain/fault.ts';

const bytes = (first: string, length = 40): Uint8Array => {
  const body = Buffer.alloc(length);
  body.write(first, 'latin1');
  return body;
};
const PNG = '\x89PNG\r\n\x1a\n';
const FILES: Record<string, Uint8Array> = {
  'hero.png': bytes(PNG),
  'twin.gif': bytes(PNG),
  'photo.jpeg': bytes('\xff\xd8\xff\xe0'),
  'wave.gif': bytes('GIF89a'),
  'new.webp': bytes('RIFF1234WEBPVP8 '),
  'deep/logo.png': bytes(PNG, 41),
  'large.png': bytes(PNG, 1_000_001),
  'full.png': bytes(PNG, 1_000_000),
  'drawing.svg': bytes('<svg xmlns="http://www.w3.org/2000/svg">'),
  'page.png': bytes('<html>'),
  'empty.png': new Uint8Array(),
};
const files: ImageFiles = { names: Object.keys(FILES), read: async (name) => FILES[name] ?? new Uint8Array() };
const read = (layout: string) => readImages(new Map([['emails/hello/layout.mjml', layout]]), files);
const faultsOf = async (layout: string) => (await read(layout)).faults.map(sayFault);

describe('a picture that a layout names', () => {
  it.each([
    ['hero.png', 'png', 'image/png'],
    ['twin.gif', 'png', 'image/png'],
    ['photo.jpeg', 'jpg', 'image/jpeg'],
    ['wave.gif', 'gif', 'image/gif'],
    ['new.webp', 'webp', 'image/webp'],
    ['deep/logo.png', 'png', 'image/png'],
    ['full.png', 'png', 'image/png'],
  ])('%s is published under its hash, as what it is', async (file, kind, type) => {
    const { images, faults } = await read(`<mj-image src="images/${file}" alt="x" />`);
    expect(faults).toEqual([]);
    expect(images.get(file)).toEqual({ name: expect.stringMatching(/^[0-9a-f]{32}\.\w+$/), type, body: FILES[file] });
    expect(images.get(file)?.name.endsWith(`.${kind}`)).toBe(true);
  });

  it('has one name for the same bytes', async () => {
    const { images } = await read('<mj-image src="images/hero.png" /><mj-image src="images/twin.gif" />');
    expect(new Set([...images.values()].map(({ name }) => name)).size).toBe(1);
  });

  it('is found as the ground of a section, in a style, and beside others; where nothing names it, it stays', async () => {
    const { images } = await read(
      `<mj-section background-url="images/hero.png"><mj-style>.a { background: url('images/wave.gif') }</mj-style>
       <img src='images/new.webp'> images/photo.jpeg <mj-image src="https://shop.example/images/full.png" />`,
    );
    expect([...images.keys()]).toEqual(['hero.png', 'wave.gif', 'new.webp']);
  });

  it('leads to where it is served, which is known when it is sent', async () => {
    const layout = '<mj-image src="images/hero.png" /><mj-style>.a { background: url(images/hero.png) }</mj-style>';
    const { images } = await read(layout);
    const { name } = images.get('hero.png')!;
    expect(withImages(layout, images)).toBe(
      `<mj-image src="{{ links.images }}/${name}" /><mj-style>.a { background: url({{ links.images }}/${name}) }</mj-style>`,
    );
  });

  it.each([
    ['hro.png', 'the picture "images/hro.png" does not exist. Did you mean "hero.png"?'],
    ['Hero.png', 'the picture "images/Hero.png" does not exist. Did you mean "hero.png"?'],
    ['../settings.json', 'the picture "images/../settings.json" does not exist. Known: '],
    ['large.png', 'the picture "images/large.png" holds 1.0 MB; at most 1 MB is published. Make it smaller: '],
    ['drawing.svg', 'the picture "images/drawing.svg" is no PNG, JPEG, GIF or WebP. Save it as one of them: '],
    ['page.png', 'the picture "images/page.png" is no PNG, JPEG, GIF or WebP. '],
    ['empty.png', 'the picture "images/empty.png" is no PNG, JPEG, GIF or WebP. '],
    ['{{ product.id }}.png', 'the picture "images/{{ product.id }}.png" is not known before it is sent. '],
  ])('%s is refused with its line, once', async (file, said) => {
    const image = `<mj-image src="images/${file}" />`;
    const faults = await faultsOf(`<mjml>\n${image}\n</mjml>`);
    expect(faults[0]).toContain(`emails/hello/layout.mjml line 2: ${said}`);
    expect(faults).toHaveLength(1);
  });
});
