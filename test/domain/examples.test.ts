// The segments and campaigns of a real shop: each passes the check, and people go in and out of segments at their edges.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Campaign } from '../../domain/campaign-grammar.ts';
import { checkTemplates } from '../../domain/check.ts';
import { sendsOf } from '../../domain/draft.ts';
import { sayFault } from '../../domain/fault.ts';
import type { Segment } from '../../domain/grammar.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { bookOf, instant, lived, World } from '../support/people.ts';
import { committed } from '../templates/edit.ts';

const FILE = resolve(import.meta.dirname, '../../../shared/examples/segments.json');
const CAMPAIGNS = resolve(import.meta.dirname, '../../../shared/examples/campaigns.json');
const missing = !existsSync(FILE) || !existsSync(CAMPAIGNS);
if (missing) console.warn(`SKIPPED: ${FILE} or ${CAMPAIGNS} is missing, the examples are not tried`);
const read = (file: string): unknown => (missing ? {} : JSON.parse(readFileSync(file, 'utf8')));
const examples = read(FILE) as Record<string, Segment>;
const campaigns = read(CAMPAIGNS) as Record<string, Campaign>;

/** Something that is heard when it happens, or a look at the person at an instant. */
type Step =
  | { at: string; name: string; said: JsonObject; heard?: string }
  | { at: string; look: 'inside' | 'outside' | 'enters' | 'leaves' };

const did = (at: string, name: string, said: JsonObject = {}, heard?: string): Step => ({
  at,
  name,
  said,
  ...(heard === undefined ? {} : { heard }),
});
const ordered = (at: string, id: string, products: string[], said: JsonObject = {}, heard?: string): Step =>
  did(at, 'Order Completed', { order_id: id, products, ...said }, heard);
const refunded = (at: string, id: string, total: number): Step => did(at, 'Order Refunded', { order_id: id, total });
const consented = (at: string, said: JsonObject = {}): Step => did(at, 'Consent Granted', { topic: 'offers', ...said });
const viewed = (at: string): Step => did(at, 'Product Viewed', { product_id: 'bag' });
const given = (at: string, said: JsonObject): Step => did(at, 'Identified', said);
const scored = (at: string, said: JsonObject): Step => did(at, 'Scores Updated', said);
const delivered = (...days: string[]): Step[] =>
  days.map((day, i) => did(`${day} 10:00`, 'Email Delivered', { campaign: 'news', step: `${i}` }));
const inside = (at: string): Step => ({ at, look: 'inside' });
const outside = (at: string): Step => ({ at, look: 'outside' });
/** By time alone: outside a millisecond before, due at that very instant, and then inside since then. */
const enters = (at: string): Step => ({ at, look: 'enters' });
const leaves = (at: string): Step => ({ at, look: 'leaves' });

const THREE = [
  ordered('2026-04-01', 'a', ['bag']),
  ordered('2026-04-21', 'b', ['bag']),
  ordered('2026-05-11', 'c', ['bag']),
];
const EIGHT = ['2026-01-05', '2026-01-12', '2026-01-19', '2026-01-26', '2026-02-02', '2026-02-09', '2026-02-16'];

/** Segment → person → what happens to them, in the order of time. The shop is in Warsaw. */
const stories: Record<string, Record<string, Step[]>> = {
  'engaged-30d': {
    'clicked, and then nothing': [
      outside('2026-06-01 09:00'),
      did('2026-06-01 10:00', 'Email Clicked', { campaign: 'news' }),
      inside('2026-06-01 10:00'),
      leaves('2026-07-01 10:00'),
      outside('2026-08-01'),
    ],
    'viewed, and ordered just before that left': [
      viewed('2026-06-01 10:00'),
      ordered('2026-07-01T09:59:59.999Z', 'a', ['bag']),
      inside('2026-07-01 10:00'),
      leaves('2026-07-31T09:59:59.999Z'),
    ],
    'consented to offers': [consented('2026-06-01 10:00'), inside('2026-06-30'), leaves('2026-07-01 10:00')],
    'consented to news only': [consented('2026-06-01 10:00', { topic: 'news' }), outside('2026-06-01 10:00')],
    'was written to, and did nothing': [...delivered('2026-06-01'), outside('2026-06-02')],
    'consented, and withdrew': [
      consented('2026-06-01 10:00'),
      did('2026-06-02', 'Consent Withdrawn', { topic: 'offers' }),
      inside('2026-06-03'),
      leaves('2026-07-01 10:00'),
    ],
  },
  'engaged-90d': {
    'clicked, and then nothing': [
      did('2026-03-01 10:00', 'Email Clicked', { campaign: 'news' }),
      inside('2026-05-30'),
      leaves('2026-05-30 10:00'),
    ],
    'ordered twice': [
      ordered('2026-03-01 10:00', 'a', ['bag']),
      ordered('2026-04-01 10:00', 'b', ['bag']),
      inside('2026-05-30 10:00'),
      leaves('2026-06-30 10:00'),
    ],
    'put something into the cart': [
      did('2026-03-01', 'Product Added', { product_id: 'bag', price: 40 }),
      outside('2026-03-01'),
    ],
    nobody: [given('2026-03-01', { country: 'PL' }), outside('2026-03-01')],
  },
  'subscribed-never-bought': {
    'consents, and then buys': [
      outside('2026-06-01'),
      consented('2026-06-01 10:00'),
      inside('2026-06-01 10:00'),
      ordered('2026-09-01', 'a', ['bag']),
      outside('2026-09-01'),
    ],
    'whose consent ends by itself': [
      consented('2026-06-01 10:00', { until: '2026-07-01T08:30:00Z' }),
      inside('2026-06-15'),
      leaves('2026-07-01 08:30'),
    ],
    'whose order is of the next minute': [
      consented('2026-06-01 10:00'),
      ordered('2026-06-02 10:01', 'a', ['bag'], {}, '2026-06-02 10:00'),
      leaves('2026-06-02 10:01'),
    ],
    'bought before consenting': [
      ordered('2025-01-01', 'a', ['bag']),
      consented('2026-06-01 10:00'),
      outside('2026-06-01 10:00'),
    ],
    'never consented': [viewed('2026-06-01'), outside('2026-06-01')],
    'withdrew everything': [
      consented('2026-06-01'),
      inside('2026-06-01'),
      did('2026-06-02', 'Consent Withdrawn', { all: true }),
      outside('2026-06-02'),
    ],
  },
  'first-time-buyers': {
    'buys once, and again': [
      outside('2026-06-01'),
      ordered('2026-06-01 10:00', 'a', ['bag']),
      inside('2027-06-01'),
      ordered('2027-06-02', 'b', ['bag']),
      outside('2027-06-02'),
    ],
    'whose order is said twice': [
      ordered('2026-06-01 10:00', 'a', ['bag']),
      ordered('2026-06-01 10:05', 'a', ['bag']),
      inside('2026-06-01 10:05'),
    ],
    'whose order is of the next minute': [
      ordered('2026-06-01 10:01', 'a', ['bag'], {}, '2026-06-01 10:00'),
      enters('2026-06-01 10:01'),
    ],
    'whose first order was heard of late': [
      ordered('2026-06-01', 'b', ['bag']),
      inside('2026-06-01'),
      ordered('2025-06-01', 'a', ['bag'], {}, '2026-06-02'),
      outside('2026-06-02'),
    ],
    'only looks': [viewed('2026-06-01'), outside('2026-06-01')],
    'whose order was never completed': [
      did('2026-06-01', 'Order Updated', { order_id: 'a', products: ['bag'] }),
      outside('2026-06-01'),
    ],
  },
  'repeat-buyers': {
    'bought twice in a year': [
      ordered('2025-03-01 10:00', 'a', ['bag']),
      outside('2025-03-02'),
      ordered('2025-06-01 10:00', 'b', ['bag']),
      inside('2025-06-01 10:00'),
      leaves('2026-03-01 10:00'),
    ],
    'came back a millisecond before the year was over': [
      ordered('2025-03-01 10:00', 'a', ['bag']),
      ordered('2026-03-01T09:59:59.999Z', 'b', ['bag']),
      leaves('2026-03-01 10:00'),
    ],
    'came back as the year was over': [
      ordered('2025-03-01 10:00', 'a', ['bag']),
      ordered('2026-03-01 10:00', 'b', ['bag']),
      outside('2026-03-01 10:00'),
    ],
    'bought two things in one order': [ordered('2026-03-01', 'a', ['bag', 'camera']), outside('2026-03-01')],
    'buys every half a year': [
      ordered('2025-01-01', 'a', ['bag']),
      ordered('2025-07-01', 'b', ['bag']),
      ordered('2025-12-30', 'c', ['bag']),
      inside('2026-01-01'),
      leaves('2026-07-01'),
    ],
  },
  vip: {
    'spent exactly 1,000': [
      ordered('2025-03-01 10:00', 'a', ['camera-pro']),
      outside('2025-03-01 10:00'),
      ordered('2025-04-01 10:00', 'b', ['bag@100']),
      inside('2025-04-01 10:00'),
      leaves('2026-03-01 10:00'),
    ],
    'spent a cent less': [
      ordered('2025-03-01', 'a', ['camera-pro']),
      ordered('2025-04-01', 'b', ['bag@99.99']),
      outside('2025-04-01'),
    ],
    'got a cent back': [
      ordered('2025-03-01', 'a', ['camera-pro', 'bag@100']),
      inside('2025-03-01'),
      refunded('2025-03-02', 'a', 0.01),
      outside('2025-03-02'),
    ],
    'spent it in dollars': [ordered('2025-03-01', 'a', ['camera-pro*2'], { currency: 'USD' }), outside('2025-03-01')],
    'is of the best tenth': [
      scored('2026-01-01', { 'value.decile': 1 }),
      inside('2027-01-01'),
      scored('2027-01-02', { 'value.decile': 2 }),
      outside('2027-01-02'),
    ],
    'is of the best tenth, and spent much': [
      ordered('2025-03-01 10:00', 'a', ['camera-pro*2']),
      scored('2025-04-01', { 'value.decile': 1 }),
      inside('2026-03-01 10:00'),
      scored('2026-03-02', { 'value.decile': 3 }),
      outside('2026-03-02'),
    ],
  },
  'lapsed-60d': {
    'a regular who goes quiet': [
      ordered('2026-03-01', 'a', ['bag']),
      ordered('2026-04-07 10:00', 'b', ['bag']),
      outside('2026-04-07 10:00'),
      enters('2026-06-06 10:00'),
      inside('2028-01-01'),
      ordered('2028-01-02', 'c', ['bag']),
      outside('2028-01-02'),
      enters('2028-03-02'),
    ],
    'who goes quiet over a change of clocks': [
      ordered('2026-01-01', 'a', ['bag']),
      ordered('2026-02-15 10:00', 'b', ['bag']),
      enters('2026-04-16 10:00'),
    ],
    'bought once': [ordered('2026-03-01', 'a', ['bag']), outside('2026-12-01')],
    'buys every month': [
      ordered('2026-03-01', 'a', ['bag']),
      ordered('2026-04-01', 'b', ['bag']),
      ordered('2026-05-30T23:59:59.999Z', 'c', ['bag']),
      outside('2026-05-31'),
    ],
    'whose second order is older than the first': [
      ordered('2026-03-01 10:00', 'b', ['bag']),
      ordered('2025-03-01', 'a', ['bag'], {}, '2026-03-02'),
      outside('2026-03-02'),
      enters('2026-04-30 10:00'),
    ],
  },
  'overdue-by-own-rhythm': {
    'buys every 20 days': [
      ...THREE,
      outside('2026-05-11'),
      enters('2026-06-10'),
      inside('2026-06-20'),
      // Four orders in 80 days: 26 days and 16 hours apart; half as much again is 40 days.
      ordered('2026-06-20', 'd', ['bag']),
      outside('2026-06-20'),
      enters('2026-07-30'),
    ],
    'buys every year': [
      ordered('2023-06-01', 'a', ['bag']),
      ordered('2024-05-31', 'b', ['bag']),
      ordered('2025-05-31', 'c', ['bag']),
      outside('2026-05-31'),
      // 365 days apart: 547 and a half days after the last.
      enters('2026-11-29 12:00'),
    ],
    'bought twice': [...THREE.slice(0, 2), outside('2030-01-01')],
    'bought three times at once': [
      ...['a', 'b', 'c'].map((id) => ordered('2026-04-01', id, ['bag'])),
      outside('2030-01-01'),
    ],
  },
  'lost-champions': {
    'of whom all is known': [
      scored('2026-05-01', { 'rfm.frequency': 4, 'rfm.money': 4, 'rfm.recency': 3 }),
      outside('2026-05-01'),
      scored('2026-06-01', { 'rfm.recency': 2 }),
      inside('2026-06-01'),
      scored('2026-07-01', { 'rfm.recency': 5 }),
      outside('2026-07-01'),
    ],
    'the best of old': [
      scored('2026-05-01', { 'rfm.frequency': 5, 'rfm.money': 5, 'rfm.recency': 1 }),
      inside('2027-05-01'),
    ],
    'whose recency nobody knows': [scored('2026-05-01', { 'rfm.frequency': 5, 'rfm.money': 5 }), outside('2026-05-01')],
    'who never spent much': [
      scored('2026-05-01', { 'rfm.frequency': 5, 'rfm.money': 3, 'rfm.recency': 1 }),
      outside('2026-05-01'),
    ],
  },
  'coupon-only-buyers': {
    'always with a coupon, then without': [
      ordered('2026-03-01', 'a', ['bag'], { coupon: 'SPRING' }),
      outside('2026-03-01'),
      ordered('2026-04-01', 'b', ['bag'], { coupon: 'MAY' }),
      inside('2027-04-01'),
      ordered('2027-04-02', 'c', ['bag']),
      outside('2027-04-02'),
    ],
    'whose next order, without, is of the next minute': [
      ordered('2026-03-01', 'a', ['bag'], { coupon: 'SPRING' }),
      ordered('2026-04-01', 'b', ['bag'], { coupon: 'MAY' }),
      ordered('2026-05-01 10:01', 'c', ['bag'], {}, '2026-05-01 10:00'),
      leaves('2026-05-01 10:01'),
    ],
    'whose coupon was null': [
      ordered('2026-03-01', 'a', ['bag'], { coupon: 'SPRING' }),
      ordered('2026-04-01', 'b', ['bag'], { coupon: null }),
      outside('2026-04-01'),
    ],
    'bought once, with a coupon': [ordered('2026-03-01', 'a', ['bag'], { coupon: 'SPRING' }), outside('2026-03-01')],
    'whose order got a coupon by an update': [
      ordered('2026-03-01', 'a', ['bag'], { coupon: 'SPRING' }),
      ordered('2026-04-01', 'b', ['bag']),
      outside('2026-04-01'),
      did('2026-04-02', 'Order Updated', { order_id: 'b', products: ['bag'], coupon: 'SORRY' }),
      inside('2026-04-02'),
    ],
  },
  'camera-without-lens': {
    'bought a camera for exactly 300': [
      ordered('2025-03-01 10:00', 'a', ['camera@300']),
      inside('2026-03-01'),
      leaves('2026-03-01 10:00'),
    ],
    'buys a lens later': [
      ordered('2026-03-01', 'a', ['camera']),
      inside('2026-03-01'),
      ordered('2026-03-10', 'b', ['lens']),
      outside('2026-03-10'),
    ],
    'bought a cheap camera': [ordered('2026-03-01', 'a', ['camera@299.99', 'bag@900']), outside('2026-03-01')],
    'bought a lens years ago': [
      ordered('2016-03-01', 'a', ['lens']),
      ordered('2026-03-01', 'b', ['camera']),
      outside('2026-03-01'),
    ],
    'whose lens was taken out of the order': [
      ordered('2026-03-01', 'a', ['camera', 'lens']),
      outside('2026-03-01'),
      did('2026-03-02', 'Order Updated', { order_id: 'a', products: ['camera'] }),
      inside('2026-03-02'),
      leaves('2027-03-01'),
    ],
  },
  'high-returners': {
    'sent back exactly half': [
      ordered('2026-03-01', 'a', ['bag']),
      ordered('2026-03-02', 'b', ['bag']),
      ordered('2026-03-03', 'c', ['bag']),
      refunded('2026-03-10', 'a', 40),
      outside('2026-03-10'),
      refunded('2026-03-11', 'b', 20),
      inside('2027-03-11'),
      ordered('2027-03-12', 'd', ['case']),
      outside('2027-03-12'),
    ],
    'whose refund came before the order': [
      refunded('2026-03-02', 'c', 400),
      ordered('2026-03-01', 'a', ['bag']),
      ordered('2026-03-02', 'b', ['bag']),
      outside('2026-03-02'),
      ordered('2026-03-03', 'c', ['camera']),
      inside('2026-03-03'),
    ],
    'sent back all of two orders': [
      ordered('2026-03-01', 'a', ['bag']),
      ordered('2026-03-02', 'b', ['bag']),
      refunded('2026-03-10', 'a', 40),
      refunded('2026-03-10', 'b', 40),
      outside('2026-03-10'),
    ],
    'sent back a cent less than half': [...THREE, refunded('2026-05-12', 'a', 59.99), outside('2026-05-12')],
  },
  'birthday-this-week': {
    'born on 20 June': [
      given('2026-01-01', { birthday: '1990-06-20' }),
      outside('2026-06-01'),
      enters('2026-06-12 22:00'),
      leaves('2026-06-19 22:00'),
      enters('2027-06-12 22:00'),
    ],
    'who did not say the year': [
      given('2026-01-01', { birthday: '--01-03' }),
      outside('2026-12-01'),
      enters('2026-12-26 23:00'),
      leaves('2027-01-02 23:00'),
    ],
    'born on 29 February': [
      given('2026-01-01', { birthday: '2000-02-29' }),
      enters('2026-02-20 23:00'),
      leaves('2026-02-27 23:00'),
      enters('2027-02-20 23:00'),
      leaves('2027-02-27 23:00'),
      // 2028 has a 29 February.
      enters('2028-02-21 23:00'),
      leaves('2028-02-28 23:00'),
    ],
    'who lives in Kiritimati': [
      given('2026-01-01', { birthday: '1990-06-20', timezone: 'Pacific/Kiritimati' }),
      enters('2026-06-12 10:00'),
      leaves('2026-06-19 10:00'),
    ],
    'who moves to Los Angeles in the week': [
      given('2026-01-01', { birthday: '1990-06-20' }),
      enters('2026-06-12 22:00'),
      given('2026-06-15', { timezone: 'America/Los_Angeles' }),
      inside('2026-06-19 22:00'),
      leaves('2026-06-20 07:00'),
    ],
    'whose birthday is not known': [given('2026-01-01', { country: 'PL' }), outside('2026-06-15')],
    'whose birthday is no date': [given('2026-01-01', { birthday: 'in June' }), outside('2026-06-15')],
  },
  'unengaged-180d': {
    'who clicked long ago': [
      consented('2025-10-01 10:00'),
      did('2025-12-01 10:00', 'Email Clicked', { campaign: 'news' }),
      ...delivered(...EIGHT, '2026-02-23'),
      outside('2026-03-30 10:00'),
      enters('2026-05-30 10:00'),
      // Of eight mails the first leaves the window.
      leaves('2026-07-04 10:00'),
    ],
    'who looks at a product again': [
      consented('2025-06-01 10:00'),
      ...delivered(...EIGHT, '2026-02-23'),
      inside('2026-02-23 10:00'),
      viewed('2026-03-01'),
      outside('2026-03-01'),
    ],
    'who consents again': [
      consented('2025-06-01 10:00'),
      ...delivered(...EIGHT, '2026-02-23'),
      inside('2026-02-24'),
      consented('2026-02-25'),
      outside('2026-02-25'),
    ],
    'who got seven mails': [consented('2025-06-01'), ...delivered(...EIGHT), outside('2026-03-01')],
    'who never consented': [...delivered(...EIGHT, '2026-02-23'), outside('2026-08-01')],
  },
  'gold-this-year': {
    'spent exactly 500': [
      ordered('2026-01-10', 'a', ['camera']),
      outside('2026-01-10'),
      ordered('2026-02-10', 'b', ['bag@100']),
      inside('2026-12-31'),
      leaves('2026-12-31 23:00'),
    ],
    'spent it in the first instant of the year': [
      ordered('2025-12-31 23:00', 'a', ['camera-pro']),
      inside('2025-12-31 23:00'),
      leaves('2026-12-31 23:00'),
    ],
    'spent it in the last instant of the year before': [
      ordered('2025-12-31T22:59:59.999Z', 'a', ['camera-pro']),
      leaves('2025-12-31 23:00'),
      outside('2026-01-10'),
    ],
    'spent it in Los Angeles: money keeps the shop’s year': [
      given('2026-01-01', { timezone: 'America/Los_Angeles' }),
      ordered('2026-06-01', 'a', ['camera-pro']),
      leaves('2026-12-31 23:00'),
    ],
    'ordered six times in Los Angeles: orders keep the contact’s year': [
      given('2026-01-01', { timezone: 'America/Los_Angeles' }),
      ...['2026-02-01', '2026-03-01', '2026-04-01', '2026-05-01', '2026-06-01'].map((at, i) =>
        ordered(at, `${i}`, ['film']),
      ),
      outside('2026-06-01'),
      ordered('2026-07-01', '5', ['film']),
      inside('2026-12-31 23:00'),
      leaves('2027-01-01 08:00'),
    ],
    'spent 500, and got some back in the next year': [
      ordered('2026-11-01', 'a', ['bag@500']),
      inside('2026-12-31'),
      leaves('2026-12-31 23:00'),
      refunded('2027-01-10', 'a', 100),
      outside('2027-01-10'),
    ],
  },
  'open-complaint': {
    'whose case is closed': [
      outside('2026-06-01'),
      did('2026-06-01 10:00', 'Case Opened', { case_id: '1', topic: 'delivery' }),
      inside('2027-06-01'),
      did('2027-06-02', 'Case Closed', { case_id: '1' }),
      outside('2027-06-02'),
    ],
    'who has two cases': [
      did('2026-06-01', 'Case Opened', { case_id: '1' }),
      did('2026-06-02', 'Case Opened', { case_id: '2' }),
      did('2026-06-03', 'Case Closed', { case_id: '2' }),
      inside('2026-06-03'),
    ],
    'whose case was closed before it was heard of': [
      did('2026-06-03', 'Case Closed', { case_id: '1' }),
      did('2026-06-01', 'Case Opened', { case_id: '1' }, '2026-06-04'),
      outside('2026-06-04'),
    ],
    'who only called': [did('2026-06-01', 'Service Called', { topic: 'delivery' }), outside('2026-06-01')],
  },
};

const looks = (steps: Step[], ...wanted: string[]): boolean =>
  steps.some((step) => 'look' in step && wanted.includes(step.look));

/** Plays a person's steps in a world of all the examples, and looks where they say. */
function play(segment: string, steps: Step[]): void {
  const world = new World(
    bookOf({ segments: Object.fromEntries(Object.entries(examples).map(([id, one]) => [id, one.rule])) }),
  );
  world.record(lived({}));
  const isInside = (): boolean => world.members().includes(segment);
  steps.forEach((step, i) => {
    const at = instant(step.at);
    if (!('look' in step)) {
      const [, one] = lived({ did: [[step.at, step.name, step.said, `${i}`]] });
      world.record([one!], { now: step.heard ?? step.at });
      return;
    }
    if (step.look === 'inside' || step.look === 'outside') {
      world.until(at);
      expect(isInside(), `${step.look} at ${step.at}`).toBe(step.look === 'inside');
      return;
    }
    const after = step.look === 'enters';
    world.until(at - 1);
    expect(isInside(), `a millisecond before it ${step.look} at ${step.at}`).toBe(!after);
    expect(world.person().journey.due, `due when it ${step.look} at ${step.at}`).toBe(at);
    world.until(at);
    expect(isInside(), `when it ${step.look} at ${step.at}`).toBe(after);
    if (after) expect(world.person().journey.segments[segment]?.since).toBe(at);
  });
}

describe.skipIf(missing)('the example segments', () => {
  test('are sixteen, and each has a story', () => {
    expect(Object.keys(stories).sort()).toEqual(Object.keys(examples).sort());
    expect(Object.keys(stories)).toHaveLength(16);
  });

  test('pass the check, all together and each by itself', async () => {
    const committedFiles = await committed();
    const fileOf = ([id, segment]: [string, Segment]): [string, string] => [
      `segments/${id}.json`,
      JSON.stringify(segment),
    ];
    const sets = [Object.entries(examples), ...Object.entries(examples).map((one) => [one])];
    for (const set of sets) {
      const checked = checkTemplates(new Map([...committedFiles, ...set.map(fileOf)]));
      expect('faults' in checked ? checked.faults : []).toEqual([]);
      expect(Object.keys('draft' in checked ? checked.draft.segments : {})).toEqual(
        expect.arrayContaining(set.map(([id]) => id)),
      );
    }
  });

  test('each have at least two people inside and two outside', () => {
    for (const people of Object.values(stories).map(Object.values<Step[]>)) {
      expect(people.filter((steps) => looks(steps, 'inside', 'enters', 'leaves')).length).toBeGreaterThanOrEqual(2);
      expect(people.filter((steps) => looks(steps, 'outside', 'leaves')).length).toBeGreaterThanOrEqual(2);
    }
  });

  describe.each(Object.entries(stories))('%s', (segment, people) => {
    test.each(Object.entries(people))('%s', (_, steps) => play(segment, steps));
  });
});

describe.skipIf(missing)('the example campaigns', () => {
  /** The small shop with the example segments, these campaigns, and what they name: e-mails, coupons, a consumable. */
  async function shopWith(some: Record<string, Campaign>): Promise<Map<string, string>> {
    const files = new Map([...(await committed())].filter(([file]) => !/^(campaigns|emails\/(?!_shared))/.test(file)));
    const layout = [...(await committed())].filter(([file]) => file.startsWith('emails/up-sell/'));
    for (const [id, segment] of Object.entries(examples)) files.set(`segments/${id}.json`, JSON.stringify(segment));
    const pools: Record<string, { percent: number }> = {};
    for (const [id, campaign] of Object.entries(some)) {
      files.set(`campaigns/${id}.json`, JSON.stringify(campaign));
      for (const { send, coupon } of sendsOf(campaign.steps)) {
        for (const [file, text] of layout) files.set(file.replace('/up-sell/', `/${send}/`), text);
        if (coupon !== undefined) pools[coupon] = { percent: 10 };
      }
    }
    files.set('coupons.json', JSON.stringify({ pools }));
    const catalogue = JSON.parse(files.get('catalogue.json')!) as { products: Record<string, Record<string, unknown>> };
    for (const product of Object.values(catalogue.products)) if (product.consumable === true) product.lastsFor = '60d';
    files.set('catalogue.json', JSON.stringify(catalogue));
    return files;
  }

  test('are eighteen, and pass the check together without a fault and without a warning', async () => {
    expect(Object.keys(campaigns)).toHaveLength(18);
    const checked = checkTemplates(await shopWith(campaigns));
    expect('faults' in checked ? checked.faults.map(sayFault) : []).toEqual([]);
    expect(checked.warnings.map(sayFault)).toEqual([]);
  });

  test.each(
    Object.entries(campaigns).filter(
      ([, { when, for: audience }]) => !JSON.stringify([when, audience]).includes('"running"'),
    ),
  )('%s passes the check by itself', async (id, campaign) => {
    const checked = checkTemplates(await shopWith({ [id]: campaign }));
    expect('faults' in checked ? checked.faults.map(sayFault) : []).toEqual([]);
  });
});
