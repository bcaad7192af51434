// What an operator asks of people and campaigns, as processes against a running laptop: why, assignment, reach, campaigns.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Assigned } from '../../cli/assignment.ts';
import type { Reached } from '../../cli/reach-rate.ts';
import type { Why } from '../../cli/why.ts';
import type { Message } from '../../domain/message.ts';
import { aStory } from '../support/laptop.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const ROOT = resolve(import.meta.dirname, '../..');
const PEOPLE = 24;
const story = aStory({
  change: (folder) => {
    folder.edit('campaigns/cross-sell.json', (campaign) => {
      campaign.holdout = 50;
    });
    folder.write('campaigns/news.json', {
      kind: 'marketing',
      aim: 'retention',
      topic: 'offers',
      sender: 'main',
      when: { every: 'tuesday 10:00', clock: 'contact', to: { did: 'Order Completed' } },
      again: 'every time',
      steps: [{ send: 'welcome' }],
    });
  },
});
let folder: string;
let file: string;
let messages: Message[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kairos-asking-'));
  file = join(folder, 'laptop.json');
  const shop = story();
  const { outputs, env } = shop.laptop;
  writeFileSync(file, JSON.stringify({ outputs, env }));
  for (let n = 0; n < PEOPLE; n++) await shop.customer(`u${n}`, { country: 'DE' }, n % 4 !== 3);
  const products = [{ product_id: 'halden-one', price: 649, quantity: 1 }];
  await shop.send(
    ...Array.from({ length: PEOPLE }, (_, n) => ({
      event: 'Order Completed',
      user: `u${n}`,
      id: `bought-${n}`,
      properties: { order_id: `o${n}`, revenue: 649, currency: 'EUR', products },
    })),
  );
  await shop.forward('8d');
  messages = await shop.messages({ campaign: 'cross-sell' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Runs `kairos` with these words. */
function kairos(...words: string[]): Promise<Ran> {
  return new Promise((done) => {
    const env = { ...process.env, KAIROS_LAPTOP: file, NO_COLOR: '1' };
    execFile(process.execPath, [join(ROOT, 'cli/kairos.ts'), ...words], { env, cwd: ROOT }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

const one = (state: Message['state']): Message => {
  const found = messages.find((message) => message.state === state);
  if (found === undefined) throw new Error(`no message is ${state}: the lots of ${PEOPLE} people are all the same`);
  return found;
};

describe('kairos why', () => {
  it('tells a message with the event, the book and the clauses that led to it', async () => {
    const { contact, id } = one('sent');
    const { code, out } = await kairos('why', contact, '--campaign', 'cross-sell');
    expect(code).toBe(0);
    expect(out).toContain(id);
    expect(out).toContain('✓ is not in high-returners');
    expect(out).toMatch(/in a run that began with Order\s+Completed \(bought-\d+\)/);
    const json = JSON.parse((await kairos('why', contact, '--json')).out) as Why;
    const told = json.campaigns.find((campaign) => campaign.id === 'cross-sell')?.messages[0];
    expect(told).toMatchObject({ id, because: { ordinal: 1, cause: { kind: 'clock' } } });
    expect(told?.because?.book).toBe(json.decidedBy?.hash);
    expect(json.unheardOf).toContain('confirm-subscription');
  });

  it('tells a broadcast with its audience as it was answered when its time had come', async () => {
    const [news] = await story().messages({ campaign: 'news', state: 'sent' });
    const { out } = await kairos('why', news?.contact ?? '', '--campaign', 'news');
    expect(out).toMatch(/welcome \(step 1\) {2}\w+, sent 10 March 2026, 10:0\d/);
    expect(out).toMatch(/began with Broadcast \(broadcast\|2026-03-10\)/);
    expect(out).toContain('1 × frequency cap, lost to welcome');
    expect(out).toMatch(/to\n +✓ ordered at least once · last 2 March 2026/);
  });

  it('tells of who is held out that nothing was sent, and by which draw', async () => {
    const { contact } = one('ghost');
    const { out } = await kairos('why', contact);
    expect(out).toContain('held out by its own draw: nothing was sent');
    const mails = await story().mails(undefined, 'cross-sell');
    expect(mails.map(({ tags }) => tags['kairos-contact'])).not.toContain(contact);
    expect(mails.length).toBeGreaterThan(0);
  });

  it('of nobody, and of a name that is nearly right, says what to do', async () => {
    expect(await kairos('why')).toMatchObject({ code: 1, err: expect.stringContaining('Name one person') });
    const { contact } = one('sent');
    const wrong = await kairos('why', contact, '--campaign', 'cross-sel');
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('Did you mean "cross-sell"?') });
  });
});

describe('kairos assignment', () => {
  it('tells what was drawn, as the engine has drawn it, with a line that a shell recomputes', async () => {
    for (const state of ['sent', 'ghost'] as const) {
      const { contact } = one(state);
      const { out } = await kairos('assignment', contact, '--campaign', 'cross-sell', '--json');
      const [campaign] = (JSON.parse(out) as Assigned).campaigns;
      const [draw] = campaign?.draws ?? [];
      expect([draw?.kind, draw?.outcome]).toEqual(['holdout/1', state === 'ghost' ? 'held out' : 'not held out']);
      const printed = Number(execFileSync('sh', ['-c', draw?.command ?? ''], { encoding: 'utf8' }));
      expect(printed < 5_000).toBe(state === 'ghost');
    }
    const { out } = await kairos('assignment', one('sent').contact);
    expect(out).toContain('cross-sell  What goes well with it');
    expect(out).toContain('sha256sum');
  });
});

describe('kairos reach', () => {
  it('counts who would be written to, and why others are not', async () => {
    const { code, out } = await kairos('reach', 'news', '--json');
    expect(code).toBe(0);
    const reached = JSON.parse(out) as Reached;
    expect(reached).toMatchObject({
      exact: true,
      inside: { contacts: PEOPLE },
      reached: { contacts: (PEOPLE * 3) / 4 },
      kept: [{ reason: 'no consent', share: { contacts: PEOPLE / 4 } }],
    });
    expect(reached.rate?.perSecond).toBe(400);
    const all = await kairos('reach', 'news', '--all');
    expect(all.out).toContain(`All ${reached.contacts} contacts were asked`);
    expect(all.out).toMatch(/would be written to +18\n/);
    expect(all.out).toMatch(/Europe\/Berlin +18 from \d+ March 2026, 10:00 to 10:00/);
  });

  it('answers of templates that are not published yet, as a preview of the publish does in a line', async () => {
    const shop = story();
    shop.folder.edit('campaigns/news.json', (campaign) => {
      campaign.when = { at: '2026-04-01 10:00', clock: 'shop', to: { has: { country: 'PL' } } };
    });
    const { out } = await kairos('reach', 'news', shop.folder.path);
    expect(out).toMatch(/would be written to +0\n/);
    const preview = await kairos('publish', shop.folder.path, '--preview');
    expect(preview.out).toContain('news would reach 0 contacts');
    const published = await kairos('reach', 'news', '--json');
    expect((JSON.parse(published.out) as Reached).reached.contacts).toBe(18);
  });

  it('of a campaign that asks about its run says why it cannot be asked', async () => {
    const refused = await kairos('reach', 'up-sell');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('is not known before it begins');
    expect(await kairos('reach', 'nws')).toMatchObject({ code: 1, err: expect.stringContaining('"news"') });
  });
});

describe('kairos campaigns', () => {
  it('says what a campaign does in words', async () => {
    const { code, out } = await kairos('campaigns', story().folder.path, '--campaign', 'cross-sell');
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 5)).toEqual([
      'cross-sell  What goes well with it',
      '  marketing, for cross-sell, topic offers',
      '  Starts when somebody orders.',
      '  1. waits 7 days',
      '  2. sends cross-sell; only with at least 1 recommendation',
    ]);
    const wrong = await kairos('campaigns', story().folder.path, '--campaign', 'crosssell');
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('Did you mean "cross-sell"?') });
  });
});
