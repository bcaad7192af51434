// What SES reports: all ten of its events are read, and any order of them ends in one state.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventBridgeEvent } from '../../domain/event.ts';
import { applyFeedback, type Feedback, readFeedback, suppressionOf } from '../../domain/feedback.ts';
import { MESSAGE_SHAPE, type Message, type MessageState } from '../../domain/message.ts';

const SENT = Date.parse('2026-11-20T10:00:00.123Z');

function message(changes: Partial<Message> = {}): Message {
  return {
    shape: MESSAGE_SHAPE,
    id: 'm-1',
    contact: 'c-1',
    campaign: 'win-back',
    version: 'v',
    step: '0',
    run: 'r-1',
    kind: 'marketing',
    sender: 'main',
    email: 'we-miss-you',
    state: 'claimed',
    plannedAt: SENT - 1000,
    createdAt: SENT - 1000,
    lane: 'triggered',
    due: SENT + 900_000,
    claimedAt: SENT - 500,
    attempts: 1,
    ignoresQuiet: false,
    inputs: { trigger: { name: 'X', at: 0, properties: {} }, recommendations: [] },
    ...changes,
  };
}

const feedback = (type: Feedback['type'], changes: Partial<Feedback> = {}): Feedback => ({
  type,
  message: 'm-1',
  contact: 'c-1',
  at: SENT + 1000,
  sentAt: SENT,
  sesId: 'ses-1',
  id: `event-${type}`,
  ...changes,
});
const bounce = (type: 'Permanent' | 'Transient' | 'Undetermined'): Feedback =>
  feedback('bounce', { bounce: { type, subType: 'General' }, id: `event-${type}` });

/** One report of each kind that there is; opens and clicks at several times. */
const ALL: Feedback[] = [
  feedback('send', { at: SENT }),
  feedback('delay'),
  feedback('delivery'),
  bounce('Transient'),
  bounce('Undetermined'),
  bounce('Permanent'),
  feedback('reject', { at: SENT }),
  feedback('rendering-failure', { at: SENT }),
  feedback('complaint'),
  feedback('open', { at: SENT + 5000 }),
  feedback('open', { at: SENT + 9000, id: 'event-open-2' }),
  feedback('open', { at: SENT + 100, automated: true, id: 'event-open-3' }),
  feedback('click', { at: SENT + 6000 }),
  feedback('click', { at: SENT + 7000, id: 'event-click-2' }),
];
const fold = (start: Message, all: Feedback[]): Message => all.reduce(applyFeedback, start);

/** SES's event as EventBridge hands it over, with our tags. */
function sesEvent(
  eventType: string,
  more: Record<string, unknown> = {},
  mail: Record<string, unknown> = {},
): EventBridgeEvent {
  return {
    id: 'event-1',
    source: 'aws.ses',
    'detail-type': 'Email',
    time: '2026-11-20T10:00:00Z',
    detail: {
      eventType,
      mail: {
        timestamp: '2026-11-20T10:00:00.123Z',
        messageId: 'ses-1',
        destination: ['qq-secret@example.com'],
        tags: { 'kairos-message': ['m-1'], 'kairos-contact': ['c-1'], 'kairos-campaign': ['win-back'] },
        ...mail,
      },
      ...more,
    },
  };
}

describe('a message', () => {
  test.each(['ready', 'claimed', 'uncertain'] as MessageState[])('%s is closed by its Send event', (state) => {
    const { due: _, ...rest } = message({ state });
    expect(applyFeedback(message({ state }), feedback('send', { at: SENT }))).toEqual({
      ...rest,
      state: 'sent',
      sesId: 'ses-1',
      sentAt: SENT,
    });
  });
  test.each(ALL.map((each) => [each.id, each] as const))('is closed by %s too: SES has taken it', (_, each) => {
    expect(applyFeedback(message(), each)).toMatchObject({ state: 'sent', sesId: 'ses-1', sentAt: SENT });
    expect(applyFeedback(message(), each)).not.toHaveProperty('due');
  });
  test('keeps what the sender knew: its id and its time', () => {
    const sent = message({ state: 'sent', sesId: 'ses-0', sentAt: SENT - 7 });
    expect(applyFeedback(sent, feedback('send'))).toBe(sent);
  });
  test.each(['dropped', 'failed'] as MessageState[])('%s stays so, whatever is heard of it', (state) => {
    expect(fold(message({ state }), ALL).state).toBe(state);
  });
  test.each([
    ['delayed', [feedback('delay')]],
    ['soft-bounced', [bounce('Transient'), feedback('delay')]],
    ['soft-bounced', [bounce('Undetermined')]],
    ['delivered', [feedback('delivery'), bounce('Transient'), feedback('delay')]],
    ['rejected', [feedback('reject'), feedback('delivery')]],
    ['rejected', [feedback('rendering-failure')]],
    ['bounced', [bounce('Permanent'), feedback('delivery')]],
    ['complained', [feedback('complaint'), bounce('Permanent'), feedback('delivery')]],
    [undefined, [feedback('send'), feedback('open'), feedback('click')]],
  ] as const)('is %s at last', (delivery, all) => {
    expect(fold(message(), [...all]).delivery).toBe(delivery);
    expect(fold(message(), [...all].reverse()).delivery).toBe(delivery);
  });
  test('knows its first open and click by a person', () => {
    expect(fold(message(), ALL)).toMatchObject({ openedAt: SENT + 5000, clickedAt: SENT + 6000 });
    expect(fold(message(), [feedback('open', { automated: true })])).not.toHaveProperty('openedAt');
  });
  test('is the same object when nothing changes, and the one before is left alone', () => {
    const before = message();
    const copy = structuredClone(before);
    const after = fold(before, ALL);
    expect(before).toEqual(copy);
    for (const each of ALL) expect(applyFeedback(after, each)).toBe(after);
  });
  test('ends in one state under any order and any repeats', () => {
    const some = fc.uniqueArray(fc.constantFrom(...ALL), { selector: (each) => each.id, minLength: 1 });
    const shuffled = some.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.array(fc.constantFrom(...all), { maxLength: 10 }).chain((repeats) => {
          const list = [...all, ...repeats];
          return fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length });
        }),
      ),
    );
    const state = fc.constantFrom<MessageState>('ready', 'claimed', 'uncertain', 'sent', 'failed', 'dropped');
    fc.assert(
      fc.property(state, shuffled, (state, [all, order]) => {
        expect(fold(message({ state }), order)).toEqual(fold(message({ state }), all));
      }),
      { numRuns: 2000 },
    );
  });
  test('all orders of five reports end in one state', () => {
    const permutations = <T>(list: T[]): T[][] =>
      list.length === 0
        ? [[]]
        : list.flatMap((first, i) =>
            permutations([...list.slice(0, i), ...list.slice(i + 1)]).map((rest) => [first, ...rest]),
          );
    const five = [feedback('send'), feedback('delivery'), bounce('Transient'), feedback('complaint'), feedback('open')];
    const ends = new Set(
      permutations(five).map((order) => JSON.stringify(Object.entries(fold(message(), order)).sort())),
    );
    expect(ends.size).toBe(1);
  });
});

describe('suppression', () => {
  test.each(ALL.map((each) => [each.id, each] as const))('of %s', (id, each) => {
    const expected: Record<string, string> = { 'event-Permanent': 'bounced', 'event-complaint': 'complained' };
    expect(suppressionOf(each)).toBe(expected[id]);
  });
});

describe('an event of SES', () => {
  test('a bounce', () => {
    const event = sesEvent('Bounce', {
      bounce: { timestamp: '2026-11-20T10:00:05Z', bounceType: 'Permanent', bounceSubType: 'OnAccountSuppressionList' },
    });
    expect(readFeedback(event)).toEqual({
      feedback: {
        type: 'bounce',
        message: 'm-1',
        contact: 'c-1',
        campaign: 'win-back',
        at: Date.parse('2026-11-20T10:00:05Z'),
        sentAt: SENT,
        sesId: 'ses-1',
        bounce: { type: 'Permanent', subType: 'OnAccountSuppressionList' },
        id: 'event-1',
      },
    });
  });
  test('a click of a machine, however SES names it', () => {
    const click = { timestamp: '2026-11-20T10:00:05Z', link: 'https://example.com/x' };
    expect(readFeedback(sesEvent('Click', { click }))).toMatchObject({ feedback: { link: 'https://example.com/x' } });
    expect(readFeedback(sesEvent('Click', { click }))).not.toHaveProperty('feedback.automated');
    for (const mark of ['automated', 'isAutomated', 'automatedClick', 'isBot', 'machineClick']) {
      const event = sesEvent('Click', { click: { ...click, [mark]: true } });
      expect(readFeedback(event)).toMatchObject({ feedback: { automated: true } });
      const other = sesEvent('Click', { click: { ...click, [mark]: false } });
      expect(readFeedback(other)).not.toHaveProperty('feedback.automated');
    }
  });
  test.each([
    ['a mail of somebody else', sesEvent('Send', {}, { tags: { 'ses:from-domain': ['example.com'] } })],
    ['a subscription', sesEvent('Subscription', { subscription: { timestamp: '2026-11-20T10:00:05Z' } })],
    ['an event type that is new', sesEvent('Teleport')],
    [
      'a report that it is not spam',
      sesEvent('Complaint', { complaint: { timestamp: '2026-11-20T10:00:05Z', complaintFeedbackType: 'not-spam' } }),
    ],
  ])('%s is ignored', (_, event) => expect(readFeedback(event)).toHaveProperty('ignored'));
  test.each([
    ['no detail', { ...sesEvent('Send'), detail: undefined }, 'detail'],
    ['no mail', { ...sesEvent('Send'), detail: { eventType: 'Send' } }, 'mail'],
    ['a delivery without a time', sesEvent('Delivery'), 'delivery'],
    [
      'a bounce of no known kind',
      sesEvent('Bounce', { bounce: { timestamp: '2026-11-20T10:00:05Z', bounceType: 'qq-secret' } }),
      'bounce.bounceType',
    ],
    ['an open at no time', sesEvent('Open', { open: { timestamp: 'qq-secret' } }), 'open.timestamp'],
  ])('%s is a fault that quotes nothing', (_, event, path) => {
    const read = readFeedback(event as EventBridgeEvent);
    expect(read).toMatchObject({ fault: { code: 'feedback.shape', path } });
    expect(JSON.stringify(read)).not.toContain('qq-secret');
  });
  test('nothing makes reading throw', () => {
    const types = [
      'Send',
      'Delivery',
      'DeliveryDelay',
      'Bounce',
      'Complaint',
      'Reject',
      'Open',
      'Click',
      'Rendering Failure',
    ];
    const event = fc
      .tuple(fc.constantFrom(...types), fc.anything(), fc.anything(), fc.anything())
      .map(([type, more, mail, tags]) => sesEvent(type, { [type.toLowerCase()]: more }, { timestamp: mail, tags }));
    fc.assert(
      fc.property(fc.oneof(fc.anything(), event), (given) => {
        expect(Object.keys(readFeedback(given as EventBridgeEvent))).toHaveLength(1);
      }),
    );
  });
});

const examples = new URL('../../../shared/data/ses_events/eventbridge/', import.meta.url);
if (!existsSync(examples)) console.warn('SKIPPED: the examples of SES events are missing');
describe.skipIf(!existsSync(examples))("SES's own examples, with our tags", () => {
  const expected: Record<string, object> = {
    'Send.json': { type: 'send', at: Date.parse('2016-10-14T05:02:16.645Z') },
    'Delivery.json': { type: 'delivery', at: Date.parse('2016-10-19T23:21:04.133Z') },
    'DeliveryDelay.json': { type: 'delay', at: Date.parse('2020-06-16T00:25:40.095Z') },
    'Bounce.json': {
      type: 'bounce',
      at: Date.parse('2017-08-05T00:41:02.669Z'),
      bounce: { type: 'Permanent', subType: 'General' },
    },
    'Complaint.json': { type: 'complaint', at: Date.parse('2017-08-05T00:41:02.669Z') },
    'Reject.json': { type: 'reject', at: Date.parse('2016-10-14T17:38:15.211Z') },
    'Open.json': { type: 'open', at: Date.parse('2017-08-09T22:00:19.652Z') },
    'Click.json': { type: 'click', at: Date.parse('2017-08-09T23:51:25.570Z') },
    'RenderingFailure.json': { type: 'rendering-failure', at: Date.parse('2018-01-22T18:43:06.197Z') },
  };
  const names = existsSync(examples) ? readdirSync(examples) : [];
  test('there are ten', () => expect(names).toHaveLength(10));
  test.each(names)('%s', (name) => {
    const event = JSON.parse(readFileSync(new URL(name, examples), 'utf8'));
    if (name !== 'Subscription.json') expect(readFeedback(event)).toEqual({ ignored: 'a mail without our tags' });
    Object.assign(event.detail.mail.tags, { 'kairos-message': ['m-1'], 'kairos-contact': ['c-1'] });
    if (name === 'Subscription.json') expect(readFeedback(event)).toHaveProperty('ignored');
    else {
      expect(readFeedback(event)).toMatchObject({
        feedback: {
          ...expected[name],
          message: 'm-1',
          contact: 'c-1',
          sesId: event.detail.mail.messageId,
          id: event.id,
        },
      });
    }
  });
});
