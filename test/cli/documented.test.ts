// docs/campaigns.md shows what the commands print: why, assignment and reach, over the ready-made campaigns.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assign, drawAssigned } from '../../cli/assignment.ts';
import { drawReach } from '../../cli/reach-page.ts';
import { reachedOf } from '../../cli/reach-rate.ts';
import { tellWhy } from '../../cli/why.ts';
import { drawWhy } from '../../cli/why-page.ts';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import type { Segment } from '../../domain/grammar.ts';
import type { Message } from '../../domain/message.ts';
import { type AskedContact, reachOf } from '../../domain/reach.ts';
import { bookOf, event, instant, introduced, order, World } from '../support/people.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAPER = { width: 100, colours: false };
const NOW = instant('2026-06-11 16:00');

/** The ready-made templates of a kind, by id. */
function readyMade<T>(kind: 'segments' | 'campaigns'): Record<string, T> {
  const folder = join(ROOT, 'templates', kind);
  return Object.fromEntries(
    readdirSync(folder).map((file) => {
      const { $schema, ...said } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as T & { $schema?: string };
      return [file.replace('.json', ''), said as T];
    }),
  );
}
const campaigns = readyMade<Campaign>('campaigns');
const book = bookOf({
  segments: Object.fromEntries(Object.entries(readyMade<Segment>('segments')).map(([id, { rule }]) => [id, rule])),
  campaigns: Object.fromEntries(
    ['abandoned-cart', 'browse-abandonment', 'win-back', 'black-friday'].map((id) => [id, campaigns[id] as Campaign]),
  ),
  settings: { caps: [{ most: 3, in: '7d' }], quietHours: { from: '21:00', to: '08:00' } },
});

/** Ann of London looks twice at a lens, begins a checkout, and looks at a tripod while the cart is left. */
const world = new World(book)
  .record([
    ...introduced('2026-03-01', { zone: 'Europe/London' }),
    order('1', '2026-05-03 10:00', ['camera']),
    event('Product Viewed', '2026-06-10 08:10', { product_id: 'lens' }, { id: 'view-1' }),
    event('Product Viewed', '2026-06-10 08:30', { product_id: 'lens' }, { id: 'view-2' }),
    event('Product Added', '2026-06-10 08:50', { product_id: 'lens', price: 200 }, { id: 'added-5' }),
    event('Checkout Started', '2026-06-10 09:00', { value: 200 }, { id: 'checkout-77' }),
    event('Product Viewed', '2026-06-10 13:00', { product_id: 'tripod' }, { id: 'view-3' }),
    event('Product Viewed', '2026-06-10 13:05', { product_id: 'tripod' }, { id: 'view-4' }),
  ])
  .until(NOW);
const ann = {
  contact: world.person(),
  messages: world.kept().map((one): Message => ({ ...one, sentAt: one.plannedAt, delivery: 'delivered' })),
};

function reach(): string[] {
  const person = (zone: string, hindrance?: string): AskedContact => ({
    inside: true,
    zone,
    ...(hindrance !== undefined && { hindrance }),
  });
  const people = (many: number, one: AskedContact) => Array.from({ length: many }, () => one);
  const asked = [
    ...people(210, person('Europe/Berlin')),
    ...people(90, person('Europe/London')),
    ...people(20, person('America/New_York')),
    ...people(60, person('Europe/Berlin', 'no consent')),
    ...people(15, person('Europe/Berlin', 'held out')),
    ...people(5, person('Europe/Berlin', 'a case is open')),
    ...people(600, { inside: false, zone: 'Europe/Berlin' }),
  ];
  const campaign = book.campaign.get('black-friday') as CompiledCampaign;
  const answer = reachOf(asked, { contacts: 148_000, exact: false });
  const reached = reachedOf(book, campaign, answer, { now: NOW, rate: { rate: 14, perSecond: 11 } });
  return drawReach(reached, campaign, PAPER);
}

const outputs: Record<string, () => string[]> = {
  why: () => drawWhy(tellWhy(ann, book, NOW), PAPER, 'EUR'),
  'why not': () => drawWhy(tellWhy(ann, book, NOW, { campaign: 'win-back' }), PAPER, 'EUR').slice(4),
  assignment: () => drawAssigned(assign(book, ann.contact, NOW), PAPER),
  reach,
};

describe('docs/campaigns.md', () => {
  const page = readFileSync(join(ROOT, 'docs/campaigns.md'), 'utf8');
  it.each(Object.keys(outputs))('shows what is printed: %s', (name) => {
    const [, shown = ''] = new RegExp(`<!-- output: ${name} -->\n\`\`\`\n([\\s\\S]*?)\`\`\``).exec(page) ?? [];
    // A version is a hash of all that a campaign says: it changes with every word of a template.
    const versionless = (line: string): string => line.replace(/version [\w-]{10}/, 'version …');
    expect(shown.split('\n').slice(0, -1).map(versionless)).toEqual(outputs[name]?.().map(versionless));
  });
});
