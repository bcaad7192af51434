// What SES reports: all ten of its events are read, and any order of them ends in one state.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Block, foldBlock } from '../../domain/block.ts';
import type { EventBridgeEvent } from '../../domain/event.ts';
import {
  applyFeedback,
  type Feedback,
  isSoftBounce,
  readFeedback,
  retiredSince,
  suppressionOf,
} from '../../domain/feedback.ts';
import { sha256 } from '../../domain/interaction.ts';
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
  left(SENT + 8000, 'event-left-2'),
  left(SENT + 7500),
];
function left(at: number, id = 'event-left'): Feedback {
  return { type: 'unsubscribe', message: 'm-1', contact: 'c-1', at, id };
}
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
  test.each(ALL.filter(({ sesId }) => sesId !== undefined).map((each) => [each.id, each] as const))(
    'is closed by %s too: SES has taken it',
    (_, each) => {
      expect(applyFeedback(message(), each)).toMatchObject({ state: 'sent', sesId: 'ses-1', sentAt: SENT });
      expect(applyFeedback(message(), each)).not.toHaveProperty('due');
    },
  );
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
  test('is closed by who leaves by its link, and learns its id later', () => {
    const one = applyFeedback(message({ state: 'uncertain' }), left(SENT + 8000));
    expect(one).toMatchObject({ state: 'sent', unsubscribedAt: SENT + 8000 });
    expect(one).not.toHaveProperty('sesId');
    expect(applyFeedback(one, feedback('send'))).toMatchObject({ sesId: 'ses-1', sentAt: SENT, state: 'sent' });
  });
  test('knows the first time that the person left by it', () => {
    expect(fold(message(), ALL).unsubscribedAt).toBe(SENT + 7500);
  });
  test('knows where it went from the report of its delivery', () => {
    const told = feedback('delivery', { sentTo: 'hash' });
    expect(applyFeedback(message(), told)).toMatchObject({ sentTo: 'hash', delivery: 'delivered' });
    // Nothing is written for it alone.
    const sent = message({ state: 'sent', sesId: 'ses-1', sentAt: SENT });
    expect(applyFeedback(sent, feedback('send', { sentTo: 'hash' }))).toBe(sent);
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
    const five = [left(SENT), feedback('delivery'), bounce('Transient'), feedback('complaint'), feedback('open')];
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

describe('all blocks on an address', () => {
  const blocks: Block[] = [
    { reason: 'unreachable', at: 1 },
    { reason: 'imported', at: 2 },
    { reason: 'bounced', at: 5 },
    { reason: 'bounced', at: 4 },
    { reason: 'complained', at: 9 },
    { reason: 'complained', at: 8 },
  ];
  const foldAll = (all: Block[]) => all.reduce<Block | undefined>(foldBlock, undefined);
  test.each([
    ['the earlier of two bounces', [blocks[2]!, blocks[3]!], blocks[3]],
    ['a complaint, however late, above a bounce', [blocks[3]!, blocks[4]!], blocks[4]],
    ['what another tool said, above silence', [blocks[0]!, blocks[1]!], blocks[1]],
    ['the earliest complaint of all', blocks, blocks[5]],
  ])('end in %s', (_, all, expected) => {
    expect(foldAll(all)).toEqual(expected);
    expect(foldAll([...all].reverse())).toEqual(expected);
  });
  test('end the same in any order with any repeats', () => {
    const some = fc.array(fc.constantFrom(...blocks), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(some, fc.infiniteStream(fc.nat(7)), (all, turns) => {
        const shuffled = [...turns.take(20)].map((turn) => all[turn % all.length]!);
        expect(foldAll([...shuffled, ...all])).toEqual(foldAll(all));
      }),
      { seed: 20_260_504 },
    );
  });
});

describe('an address', () => {
  const DAY = 86_400_000;
  /** One letter a mail, one every `every` days: s soft, d delivered, c complained, b bounced, l delayed, - nothing known. */
  const mails = (letters: string, every: number, sentTo = 'ann'): Message[] =>
    [...letters].map((letter, at) => {
      const deliveries = { s: 'soft-bounced', d: 'delivered', c: 'complained', b: 'bounced', l: 'delayed' } as const;
      const delivery = deliveries[letter as 's'];
      return {
        ...message({ id: `m-${at}`, claimedAt: SENT + at * every * DAY }),
        sentTo,
        ...(delivery !== undefined && { delivery }),
      };
    });
  const retired = (letters: string, every: number, policy = { most: 5, over: '14d' }) => {
    const since = retiredSince(mails(letters, every), 'ann', policy);
    return since === undefined ? undefined : (since - SENT) / DAY;
  };
  test.each([
    ['five soft bounces over 16 days', 'sssss', 4, 16],
    ['five over 12 days: too short', 'sssss', 3, undefined],
    ['four over 30 days: too few', 'ssss', 10, undefined],
    ['a soft bounce each day: after a fortnight', 'sssssssssssssssss', 1, 14],
    ['thirteen days of daily soft bounces', 'ssssssssssssss', 1, undefined],
    ['a delivery among them', 'ssdsss', 10, undefined],
    ['a delivery before them', 'dsssss', 4, 20],
    ['a delivery after them takes it back', 'sssssd', 4, undefined],
    ['a complaint among them was delivered', 'sscsss', 10, undefined],
    ['what is not known says nothing', 's-s-s-s-s', 2, 16],
    ['what is delayed says nothing', 'slslslsls', 2, 16],
    ['what bounced for good says nothing here', 'sbsbsbsbs', 2, 16],
    ['more of them do not move the instant', 'ssssssss', 4, 16],
    ['nothing', '', 1, undefined],
  ])('%s', (_, letters, every, expected) => expect(retired(letters, every)).toBe(expected));
  test('is given up by what the shop says', () => {
    expect(retired('ss', 1, { most: 2, over: '1d' })).toBe(1);
    expect(retired('ss', 1, { most: 2, over: '2d' })).toBeUndefined();
  });
  test('is not blamed for another one of the same person', () => {
    const all = [
      ...mails('ssss', 4, 'old'),
      ...mails('s', 4, 'ann').map((one) => ({ ...one, claimedAt: SENT + 90 * DAY })),
    ];
    expect(retiredSince(all, 'ann', { most: 5, over: '14d' })).toBeUndefined();
  });
  test('is given up or not in whatever order its messages are read', () => {
    const letters = fc.string({ unit: fc.constantFrom('s', 's', 's', 'd', 'l', '-'), maxLength: 12 });
    fc.assert(
      fc.property(letters, fc.integer({ min: 1, max: 6 }), fc.nat(), (text, every, turn) => {
        const all = mails(text, every);
        const turned = all.map((_, at) => all[(at * 7 + turn) % all.length]!);
        const some = all.length % 7 === 0 ? [...all].reverse() : turned;
        expect(retiredSince(some, 'ann', { most: 3, over: '5d' })).toBe(
          retiredSince(all, 'ann', { most: 3, over: '5d' }),
        );
      }),
      { seed: 20_260_504 },
    );
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
        sentTo: sha256('qq-secret@example.com'),
        id: 'event-1',
      },
    });
  });
  const time = { timestamp: '2026-11-20T10:00:05Z' };
  test.each(
    Object.entries({
      Permanent: ['General', 'NoEmail', 'Suppressed', 'OnAccountSuppressionList', 'UnsubscribedRecipient'],
      Transient: [
        'General',
        'MailboxFull',
        'MessageTooLarge',
        'ContentRejected',
        'AttachmentRejected',
        'CustomTimeoutExceeded',
      ],
      Undetermined: ['Undetermined', undefined],
    }).flatMap(([type, subTypes]) => subTypes.map((subType) => [type, subType] as const)),
  )('a bounce: %s, %s', (bounceType, bounceSubType) => {
    const read = readFeedback(sesEvent('Bounce', { bounce: { ...time, bounceType, bounceSubType } }));
    if (!('feedback' in read)) throw new Error('not read');
    expect(read.feedback.bounce).toEqual({ type: bounceType, subType: bounceSubType ?? 'Undetermined' });
    expect(suppressionOf(read.feedback)).toBe(bounceType === 'Permanent' ? 'bounced' : undefined);
    expect(isSoftBounce(read.feedback)).toBe(bounceType !== 'Permanent');
    expect(applyFeedback(message(), read.feedback).delivery).toBe(
      bounceType === 'Permanent' ? 'bounced' : 'soft-bounced',
    );
  });
  test.each([
    [{}],
    [{ complaintFeedbackType: null }],
    [{ complaintFeedbackType: 'abuse', complaintSubType: null }],
    [{ complaintFeedbackType: 'fraud' }],
    [{ complaintFeedbackType: 'virus' }],
    [{ complaintFeedbackType: 'auth-failure' }],
    [{ complaintFeedbackType: 'other' }],
    [{ complaintSubType: 'OnAccountSuppressionList' }],
  ])('a complaint: %j', (more) => {
    const read = readFeedback(sesEvent('Complaint', { complaint: { ...time, ...more } }));
    expect(read).toMatchObject({ feedback: { type: 'complaint', at: Date.parse(time.timestamp) } });
  });
  test.each([
    ['Likely', true],
    ['likely', true],
    [true, true],
    ['Certain', true],
    ['Unlikely', undefined],
    [false, undefined],
    [null, undefined],
    [undefined, undefined],
  ])('an open and a click of which SES says isBotEvent: %j', (isBotEvent, automated) => {
    for (const [type, part] of [
      ['Open', { open: { ...time, isBotEvent } }],
      ['Click', { click: { ...time, link: 'https://example.com/x', isBotEvent } }],
    ] as const) {
      const read = readFeedback(sesEvent(type, part));
      if (!('feedback' in read)) throw new Error('not read');
      expect(read.feedback.automated).toBe(automated);
      const done = applyFeedback(message(), read.feedback);
      expect(done[type === 'Open' ? 'openedAt' : 'clickedAt']).toBe(automated ? undefined : Date.parse(time.timestamp));
    }
  });
  test.each([
    ['qq-secret@example.com', sha256('qq-secret@example.com')],
    ['Ann Example <QQ-Secret@Example.com>', sha256('qq-secret@example.com')],
    ['no address', undefined],
    [7, undefined],
  ])('went to %s', (destination, hash) => {
    const read = readFeedback(sesEvent('Send', {}, { destination: [destination] }));
    if (!('feedback' in read)) throw new Error('not read');
    expect(read.feedback.sentTo).toBe(hash);
    expect(JSON.stringify(read)).not.toMatch(/qq-secret@/i);
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

describe('an event of ours', () => {
  const own = (name: string, detail: unknown): EventBridgeEvent => ({
    id: 'event-1',
    source: 'kairos',
    'detail-type': name,
    time: '2026-11-20T10:00:00Z',
    detail,
  });
  const detail = {
    type: 'track',
    event: 'Consent Withdrawn',
    contactId: 'c-1',
    timestamp: '2026-11-20T10:00:05Z',
    properties: { brand: 'shop', all: true, message: 'm-1' },
  };
  test('says that a person left by a link of a mail', () => {
    expect(readFeedback(own('Consent Withdrawn', detail))).toEqual({
      feedback: {
        type: 'unsubscribe',
        message: 'm-1',
        contact: 'c-1',
        at: Date.parse('2026-11-20T10:00:05Z'),
        id: 'event-1',
      },
    });
  });
  test.each([
    [
      'a withdrawal on the page of choices, without a mail',
      own('Consent Withdrawn', { ...detail, properties: { all: true } }),
    ],
    ['a grant', own('Consent Granted', detail)],
    ['a pause', own('Pause Requested', detail)],
  ])('%s is ignored', (_, event) => expect(readFeedback(event)).toHaveProperty('ignored'));
  test('of another source is none of ours', () => {
    expect(readFeedback({ ...own('Consent Withdrawn', detail), source: 'shop' })).toMatchObject({
      fault: { code: 'feedback.shape' },
    });
  });
  test.each([
    ['nobody', { ...detail, contactId: undefined }, 'contactId'],
    ['at no time', { ...detail, timestamp: 'qq-secret' }, 'timestamp'],
    ['nothing at all', undefined, ''],
  ])('about %s is a fault that quotes nothing', (_, given, path) => {
    const read = readFeedback(own('Consent Withdrawn', given));
    expect(read).toMatchObject({ fault: { code: 'feedback.shape', path } });
    expect(JSON.stringify(read)).not.toContain('qq-secret');
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
