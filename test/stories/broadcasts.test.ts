// Broadcasts from the calendar to the mailbox: at each person's own time, once, whatever happens to the walk or to people.
import { describe, expect, it } from 'vitest';
import { holdStage } from '../../cli/stage.ts';
import { readStatus } from '../../cli/status.ts';
import type { BroadcastStep } from '../../functions/aws/broadcasts.ts';
import { key } from '../../functions/aws/table.ts';
import { aStory, DAY, HOUR, MINUTE, order, type Story } from '../support/laptop.ts';

const launch = {
  kind: 'marketing',
  aim: 'retention',
  topic: 'offers',
  sender: 'main',
  when: { at: '2026-03-05 10:00', clock: 'contact', to: { segment: 'engaged-90d' } },
  again: 'never',
  expires: '6h',
  steps: [{ send: 'launch' }],
};
const change = (campaigns: Record<string, object>) => (folder: Story['folder']) => {
  for (const name of ['launch', 'letter']) folder.copy('emails/win-back', `emails/${name}`);
  folder.edit('settings.json', (settings) => Object.assign(settings, { caps: [{ most: 9, in: '1d' }] }));
  for (const [name, campaign] of Object.entries(campaigns)) folder.write(`campaigns/${name}.json`, campaign);
};

/** When a campaign has written to whom, to five minutes: who is due is looked for once a minute. */
async function sent(shop: Story, campaign: string): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const { to, at } of await shop.mails(undefined, campaign)) {
    const who = to[0]?.split('@')[0] as string;
    found[who] = [
      ...(found[who] ?? []),
      new Date(Math.floor(at / (5 * MINUTE)) * 5 * MINUTE).toISOString().slice(0, 16),
    ];
  }
  return found;
}
const walks = async (shop: Story) => {
  const { outputs, env } = shop.laptop;
  const stage = holdStage({ stage: 'laptop', outputs, env }, () => shop.now());
  return (await readStatus(stage)).walks;
};

describe('given people in Tokyo, Berlin and New York', () => {
  const story = aStory({ change: change({ launch }) });

  it('each has it at ten in the morning where they live, as bulk mail', async () => {
    const shop = story();
    const zones = { ken: 'Asia/Tokyo', ben: 'Europe/Berlin', nora: 'America/New_York' };
    for (const [user, timezone] of Object.entries(zones)) await shop.customer(user, { timezone });
    await shop.customer('nobody', { timezone: 'Asia/Tokyo' }, false);
    await shop.until('2026-03-05T23:00:00Z');
    expect(await sent(shop, 'launch')).toEqual({
      ken: ['2026-03-05T01:00'],
      ben: ['2026-03-05T09:00'],
      nora: ['2026-03-05T15:00'],
    });
    const messages = await shop.messages({ campaign: 'launch' });
    expect(messages.map(({ lane, state }) => [lane, state])).toEqual(Array.from({ length: 3 }, () => ['bulk', 'sent']));
    const [walk] = await walks(shop);
    expect(walk).toMatchObject({ campaign: 'launch', occurrence: '2026-03-05', walked: 4, booked: 3, late: 0 });
  });

  it('who came after the walk is not among them', async () => {
    const shop = story();
    await shop.customer('new', { timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    expect(Object.keys(await sent(shop, 'launch'))).not.toContain('new');
  });
});

describe('given a broadcast half of whose people leave meanwhile', () => {
  const story = aStory({ change: change({ launch }) });

  it('only the others get it, and each of these once', async () => {
    const shop = story();
    const people = Array.from({ length: 20 }, (_, n) => `p${String(n).padStart(2, '0')}`);
    for (const user of people) await shop.customer(user, { timezone: 'America/New_York' });
    // The walk is through when it is ten in Kiritimati: New York's ten comes 19 hours later.
    await shop.until('2026-03-04T22:00:00Z');
    expect((await walks(shop))[0]).toMatchObject({ booked: 20 });
    const leaving = people.filter((_, n) => n % 2 === 0);
    for (const user of leaving) {
      await shop.send({ event: 'Consent Withdrawn', user, properties: { topic: 'offers' } });
    }
    await shop.until('2026-03-05T20:00:00Z');
    const got = await sent(shop, 'launch');
    expect(Object.keys(got).sort()).toEqual(people.filter((user) => !leaving.includes(user)));
    expect(Object.values(got).every((times) => times.length === 1)).toBe(true);
  });
});

describe('given a walk that is interrupted', () => {
  const story = aStory({ change: change({ launch: { ...launch, when: { ...launch.when, clock: 'shop' } } }) });

  it('goes on where it was lost, and everybody has it once', async () => {
    const shop = story();
    const people = Array.from({ length: 12 }, (_, n) => `q${String(n).padStart(2, '0')}`);
    for (const user of people) await shop.customer(user);
    // The walk begins ten minutes before ten in Berlin. Its function dies each time, until its messages are dead letters.
    const trouble = shop.laptop.simulate({ at: 'invoke:walk-roster', kind: 'error' });
    await shop.until('2026-03-05T08:55:00Z');
    expect((await walks(shop))[0]).toMatchObject({ booked: 0, shardsDone: 0 });
    expect(trouble.struck()).toBeGreaterThan(2);
    trouble.stop();
    await shop.idle();
    shop.laptop.clock.moveTo(Date.parse('2026-03-05T09:20:00Z'));
    await shop.timers();
    await shop.forward('30m');
    const got = await sent(shop, 'launch');
    expect(Object.keys(got).sort()).toEqual(people);
    expect(Object.values(got).every((times) => times.length === 1)).toBe(true);
    expect((await walks(shop))[0]).toMatchObject({ walked: 12, booked: 12, endedAt: expect.any(Number) });
  });

  it('a page that comes again, long after, gives nobody anything', async () => {
    const shop = story();
    const steps: BroadcastStep[] = ['00', '01'].map((shard) => ({
      broadcast: { campaign: 'launch', occurrence: '2026-03-05' },
      shard,
      page: 0,
    }));
    await shop.queue.send(shop.output('RosterQueueUrl'), steps);
    await shop.idle();
    await shop.forward('1h');
    expect(Object.values(await sent(shop, 'launch')).every((times) => times.length === 1)).toBe(true);
  });
});

describe('given a letter of each Tuesday', () => {
  const letter = {
    ...launch,
    when: { every: 'tuesday 10:00', clock: 'contact', to: { did: 'Order Completed', inLast: '10d' } },
    again: 'every time',
    steps: [{ send: 'letter' }],
  };
  const story = aStory({ change: change({ letter }) });

  it('comes each Tuesday to those who are meant on that day', async () => {
    const shop = story();
    for (const user of ['una', 'vic']) await shop.customer(user);
    await shop.send({ event: 'Order Completed', user: 'una', properties: order('una-1', ['film', 12]) });
    await shop.until('2026-03-08T12:00:00Z');
    await shop.send({ event: 'Order Completed', user: 'vic', properties: order('vic-1', ['film', 12]) });
    await shop.until('2026-03-18T12:00:00Z');
    // una bought on the 2nd: on the 17th that is longer ago than ten days.
    expect(await sent(shop, 'letter')).toEqual({
      una: ['2026-03-03T09:00', '2026-03-10T09:00'],
      vic: ['2026-03-10T09:00', '2026-03-17T09:00'],
    });
  });

  it('paused over a Tuesday, that one is not made up', async () => {
    const shop = story();
    await shop.send({ event: 'Order Completed', user: 'vic', properties: order('vic-2', ['film', 12]) });
    await shop.control({ paused: ['letter'] });
    await shop.until('2026-03-26T12:00:00Z');
    await shop.control({ paused: [] });
    await shop.send({ event: 'Order Completed', user: 'vic', properties: order('vic-3', ['film', 12]) });
    await shop.until('2026-04-01T12:00:00Z');
    expect((await sent(shop, 'letter')).vic).toEqual(['2026-03-10T09:00', '2026-03-17T09:00', '2026-03-31T08:00']);
  });
});

describe('given people who are inside a segment when its campaign goes live', () => {
  const story = aStory({ change: change({}) });

  it('have it so many a day, as long as they are inside; who enters later has it at once', async () => {
    const shop = story();
    const people = Array.from({ length: 10 }, (_, n) => `r${n}`);
    for (const user of people) {
      await shop.customer(user);
      await shop.send({ event: 'Order Completed', user, properties: order(`${user}-1`, ['film', 12]) });
    }
    await shop.forward('20d');
    await shop.publish((folder) => {
      const rule = { did: 'Order Completed', latest: { moreThanAgo: '10d' } };
      folder.write('segments/quiet.json', { title: 'Quiet for ten days', rule });
      folder.write('campaigns/launch.json', {
        ...launch,
        when: { enters: 'quiet', alsoThoseInside: { perDay: 4 } },
        quiet: 'ignore',
        expires: '2d',
      });
    });
    const began = shop.now();
    await shop.timers();
    expect((await walks(shop))[0]).toMatchObject({ occurrence: 'inside|quiet', walked: 10, booked: 10 });
    await shop.until(began + DAY - MINUTE);
    const first = Object.keys(await sent(shop, 'launch'));
    expect(first).toHaveLength(4);
    // One of the others orders again: it is not quiet any more when its time comes.
    const back = people.find((user) => !first.includes(user)) as string;
    await shop.send({ event: 'Order Completed', user: back, properties: order(`${back}-2`, ['film', 12]) });
    await shop.until(began + 4 * DAY);
    const got = await sent(shop, 'launch');
    expect(Object.keys(got).sort()).toEqual(people.filter((user) => user !== back));
    expect(Object.values(got).every((times) => times.length === 1)).toBe(true);
    const times = Object.values(got).flat().sort();
    for (let n = 0; n + 4 < times.length; n++) {
      const apart = Date.parse(`${times[n + 4]}Z`) - Date.parse(`${times[n]}Z`);
      expect(apart).toBeGreaterThanOrEqual(DAY - HOUR);
    }
    await shop.forward('9d');
    expect(Object.keys(await sent(shop, 'launch')).sort()).toEqual(people);
    expect(await shop.table.readOne(key.broadcast('launch', 'inside|quiet'))).not.toHaveProperty('ttl');
  });
});
