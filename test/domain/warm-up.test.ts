// Warm-up of a sending domain: who goes on which day, and when the others come again.
import { describe, expect, it } from 'vitest';
import { newContact } from '../../domain/contact.ts';
import type { WarmUp } from '../../domain/settings.ts';
import { localTime } from '../../domain/time.ts';
import { afterFullDay, domainOf, engagedAt, type WarmUpMoment, warmUp, warmUpDate } from '../../domain/warm-up.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
/** Summer time begins on the plan's last day. */
const zone = 'Europe/Berlin';
const plan: WarmUp = {
  starts: '2026-03-26',
  days: [{ most: 10, engaged: '30d' }, { most: 20, engaged: '90d' }, { most: 40 }, { most: 80 }],
};
const at = (text: string): number => Date.parse(`${text}+01:00`);
const NOON = at('2026-03-26T12:00');
const moment = (change: Partial<WarmUpMoment>): WarmUpMoment => ({
  plan,
  settings: { zone },
  engagedAt: NOON - DAY,
  message: 'message-a',
  now: NOON,
  ...change,
});
const local = (instant: number) => localTime(instant, zone);

describe('given a plan', () => {
  it.each([
    ['before it starts nobody goes', '2026-03-25T23:59', 0, { kind: 'defer', day: '2026-03-26' }],
    [
      'its first day starts at midnight of the shop',
      '2026-03-26T00:00',
      1,
      { kind: 'place', date: '2026-03-26', most: 10 },
    ],
    ['on a day for the engaged they go', '2026-03-26T12:00', 30, { kind: 'place', date: '2026-03-26', most: 10 }],
    [
      'who was engaged too long ago waits for the first day that takes them',
      '2026-03-26T12:00',
      31,
      { kind: 'defer', day: '2026-03-27' },
    ],
    [
      'who never was waits for a day for everybody',
      '2026-03-26T12:00',
      undefined,
      { kind: 'defer', day: '2026-03-28' },
    ],
    ['so does who was before all windows', '2026-03-27T12:00', 91, { kind: 'defer', day: '2026-03-28' }],
    ['on a day for everybody all go', '2026-03-28T12:00', undefined, { kind: 'place', date: '2026-03-28', most: 40 }],
    ['the last day is one of the plan', '2026-03-29T23:30', undefined, { kind: 'place', date: '2026-03-29', most: 80 }],
    ['after the last day nothing is held', '2026-03-31T00:00', undefined, { kind: 'free' }],
  ])('%s', (_name, now, days, expected) => {
    const instant = now.startsWith('2026-03-29') ? Date.parse(`${now}+02:00`) : at(now);
    const engaged = days === undefined ? undefined : instant - days * DAY;
    const verdict = warmUp(moment({ now: instant, engagedAt: engaged }));
    const { day, ...rest } = expected as { kind: string; day?: string };
    expect(verdict).toMatchObject(rest);
    if (verdict.kind === 'defer') {
      const { date, minutes } = local(verdict.until);
      expect(date).toBe(day);
      expect(minutes).toBeGreaterThanOrEqual(8 * 60);
      expect(minutes).toBeLessThan(16 * 60);
    }
  });

  it('a window that still holds at noon but not at the instant of coming again does not count', () => {
    const only: WarmUp = {
      starts: '2026-03-26',
      days: [
        { most: 1, engaged: '1d' },
        { most: 1, engaged: '1d' },
      ],
    };
    const verdict = warmUp(moment({ plan: only, engagedAt: NOON - 2 * DAY }));
    expect(verdict.kind === 'defer' && local(verdict.until).date).toBe('2026-03-28');
  });

  it('days begin with the end of quiet hours where there are some', () => {
    const settings = { zone, quietHours: { from: '21:00', to: '09:30' } };
    const verdict = warmUp(moment({ settings, engagedAt: undefined }));
    expect(verdict.kind === 'defer' && local(verdict.until).minutes).toBeGreaterThanOrEqual(9 * 60 + 30);
  });

  it('those who wait are spread over the day, each at the same instant whenever it is asked', () => {
    const until = (message: string): number => {
      const verdict = warmUp(moment({ engagedAt: undefined, message }));
      return verdict.kind === 'defer' ? verdict.until : 0;
    };
    const instants = Array.from({ length: 400 }, (_, n) => until(`message-${n}`));
    const hours = new Map<number, number>();
    for (const instant of instants) {
      const hour = Math.floor(local(instant).minutes / 60);
      hours.set(hour, (hours.get(hour) ?? 0) + 1);
    }
    expect([...hours.keys()].toSorted((a, b) => a - b)).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
    expect(Math.min(...hours.values())).toBeGreaterThan(25);
    expect(until('message-7')).toBe(instants[7]);
  });

  it('says the date under which everything is counted, while it runs', () => {
    expect(warmUpDate(plan, zone, at('2026-03-25T12:00'))).toBeUndefined();
    expect(warmUpDate(plan, zone, NOON)).toBe('2026-03-26');
    expect(warmUpDate(plan, zone, Date.parse('2026-03-29T23:59+02:00'))).toBe('2026-03-29');
    expect(warmUpDate(plan, zone, Date.parse('2026-03-30T00:00+02:00'))).toBeUndefined();
  });
});

describe('given a day that is full', () => {
  const day = (place: number, change: Partial<WarmUpMoment> = {}): string =>
    local(afterFullDay(moment(change), place)).date;
  it.each([
    ['the first who waits comes on the next day', 1, '2026-03-27'],
    ['as many as four fifths of its ceiling do', 16, '2026-03-27'],
    ['the next one on the day after', 17, '2026-03-28'],
    ['and so on', 16 + 32, '2026-03-28'],
    ['up to the last day', 16 + 32 + 64, '2026-03-29'],
    ['all others come after it', 16 + 32 + 65, '2026-03-30'],
    ['however many they are', 1_000_000, '2026-03-30'],
  ])('%s', (_name, place, expected) => {
    expect(day(place)).toBe(expected);
  });

  it('the order of waiting is the order of coming', () => {
    const instants = Array.from({ length: 112 }, (_, n) => afterFullDay(moment({ message: `m${n}` }), n + 1));
    expect(instants).toEqual(instants.toSorted((a, b) => a - b));
    expect(local(instants[0]!)).toMatchObject({ date: '2026-03-27', minutes: 8 * 60 });
  });

  it('who may not go on the day of their place comes on the next that lets them', () => {
    expect(day(1, { engagedAt: undefined })).toBe('2026-03-28');
  });

  it('those that come after the plan are spread too', () => {
    const instants = Array.from({ length: 50 }, (_, n) => afterFullDay(moment({ message: `m${n}` }), 500));
    expect(new Set(instants).size).toBe(50);
  });
});

describe('given what is known of a person', () => {
  const facts = (change: object) => ({ ...newContact('c', NOON).facts, ...change });
  const granted = { granted: true, at: NOON - 3 * HOUR, id: 'g' };
  it.each([
    ['nothing: never', {}, undefined],
    ['an order: its last', { orders: { count: 1, gross: 1, refunded: 0, returned: 0, last: NOON - DAY } }, NOON - DAY],
    ['a consent of the brand', { consents: { 'shop|offers|email': granted } }, NOON - 3 * HOUR],
    ['a consent of another brand is none', { consents: { 'outlet|offers|email': granted } }, undefined],
    ['a consent withdrawn is none', { consents: { 'shop|offers|email': { ...granted, granted: false } } }, undefined],
    ['a click, where a rule reads it', { latest: { 'Email Clicked': NOON - HOUR, 'Email Opened': NOON } }, NOON - HOUR],
    [
      'the latest of all',
      { latest: { 'Email Clicked': NOON - DAY }, consents: { 'shop|offers|email': granted } },
      NOON - 3 * HOUR,
    ],
  ])('%s', (_name, change, expected) => {
    expect(engagedAt(facts(change), 'shop')).toBe(expected);
  });
});

it('finds the domain of a sender', () => {
  expect(domainOf('Hello@News.Shop.example')).toBe('news.shop.example');
});
