// A new sending domain: each day so many marketing mails, to the engaged first; service mail as always; then all.
import { expect, it } from 'vitest';
import { localTime } from '../../domain/time.ts';
import { key } from '../../functions/aws/table.ts';
import { aStory, DAY, type Said } from '../support/laptop.ts';

const DOMAIN = 'mail.aurora-camera.example';
const people = (group: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${group}-${n}`);
/** The story starts at noon of 2 March in Berlin. */
const story = aStory({
  change: (folder) => {
    folder.edit('settings.json', (settings) => {
      settings.warmUp = {
        [DOMAIN]: { starts: '2026-03-02', days: [{ most: 4, engaged: '10d' }, { most: 6 }, { most: 10 }] },
      };
    });
  },
});
const consents = (user: string, at: number): Said[] => [
  { event: 'identify', user, email: `${user}@customers.example` },
  { event: 'Consent Granted', user, at, properties: { topic: 'offers', basis: 'double' } },
];
const welcomed = async (): Promise<Record<string, string[]>> => {
  const days: Record<string, string[]> = {};
  for (const { at, to } of await story().mails(undefined, 'welcome')) {
    const { date } = localTime(at, 'Europe/Berlin');
    days[date] = [...(days[date] ?? []), to[0]?.split('@')[0] ?? ''];
  }
  return days;
};

it('on its first day four of the engaged get theirs, and nobody waits for service mail', async () => {
  const shop = story();
  await shop.send(...people('fresh', 12).flatMap((user) => consents(user, shop.now())));
  await shop.send(
    ...people('asks', 6).map((user) => ({
      event: 'Consent Requested',
      user,
      email: `${user}@customers.example`,
      properties: { topic: 'news' },
    })),
  );
  await shop.forward('8h');
  expect(Object.entries(await welcomed()).map(([date, users]) => [date, users.length])).toEqual([['2026-03-02', 4]]);
  expect(await shop.mails(undefined, 'confirm-subscription')).toHaveLength(6);
  expect(await shop.table.readOne(key.warmUp(DOMAIN, '2026-03-02'))).toMatchObject({ sent: 4, others: 6, waiting: 8 });
});

it('on the next days those who waited come first, in daylight and under the ceiling of each day', async () => {
  const shop = story();
  await shop.forward('2d');
  const days = await welcomed();
  expect(Object.entries(days).map(([date, users]) => [date, users.length])).toEqual([
    ['2026-03-02', 4],
    ['2026-03-03', 4],
    ['2026-03-04', 4],
  ]);
  for (const { at } of await shop.mails(undefined, 'welcome')) {
    const { minutes } = localTime(at, 'Europe/Berlin');
    expect(minutes).toBeGreaterThanOrEqual(8 * 60);
    expect(minutes).toBeLessThan(16 * 60 + 1);
  }
});

it('after the last day nothing is held, everybody was welcomed once, and nothing died', async () => {
  const shop = story();
  await shop.next('12:00');
  const late = people('late', 15);
  await shop.send(...late.flatMap((user) => consents(user, shop.now())));
  await shop.forward('1h');
  const mails = await shop.mails(undefined, 'welcome');
  const users = mails.map((mail) => mail.to[0]?.split('@')[0] ?? '').toSorted();
  expect(users).toEqual([...people('fresh', 12), ...late].toSorted());
  expect(await shop.table.readOne(key.warmUp(DOMAIN, '2026-03-05'))).toBeUndefined();
  expect(mails.filter((mail) => mail.at > Date.parse('2026-03-02T11:00:00Z') + 3 * DAY - 3_600_000).length).toBe(15);
  expect(await shop.deadLetters()).toEqual([]);
});
