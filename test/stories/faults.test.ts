// Much goes wrong at once, drawn from seeds: every event counts once, and every mail goes out once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Trouble } from '../../local/laptop.ts';
import { drawn, type FaultyEngine, startFaultyEngine } from '../support/faulty-engine.ts';
import { closeStory, order, type Said, type Story, startStory } from '../support/laptop.ts';

let engine: FaultyEngine;
let shop: Story;
beforeAll(async () => {
  engine = await startFaultyEngine(7);
  shop = await startStory({ publish: false, overrides: { AWS_ENDPOINT_URL_DYNAMODB: engine.url } });
  engine.upstream = shop.laptop.env.AWS_ENDPOINT_URL_DYNAMODB ?? '';
  await shop.publish();
});
afterAll(async () => {
  await closeStory(shop);
  await engine.close();
});

const PEOPLE = 24;

/** Everybody is known, consents, asks for a confirmation, orders three times, and sends something back. */
function lives(group: string): Said[] {
  const draw = drawn(group.length * 31 + group.charCodeAt(0));
  const now = shop.now();
  const said = Array.from({ length: PEOPLE }, (_, at) => `${group}-${at}`).flatMap((user): Said[] => {
    const email = `${user}@customers.example`;
    return [
      { id: `${user}-1`, event: 'identify', user, anonymous: `${user}-d`, email, at: now },
      { id: `${user}-2`, event: 'Consent Granted', user, at: now, properties: { topic: 'offers' } },
      { id: `${user}-3`, event: 'Consent Requested', user, email, at: now, properties: { topic: 'news' } },
      { id: `${user}-4`, event: 'Order Completed', user, at: now, properties: order(`${user}-a`, ['halden-one', 649]) },
      {
        id: `${user}-5`,
        event: 'Order Completed',
        email,
        at: now,
        properties: order(`${user}-b`, ['care-kit', 26, 2]),
      },
      {
        id: `${user}-6`,
        event: 'Order Completed',
        anonymous: `${user}-d`,
        at: now,
        properties: order(`${user}-c`, ['halden-pro', 1999]),
      },
      {
        id: `${user}-7`,
        event: 'Order Refunded',
        at: now,
        properties: { order_id: `${user}-b`, refund_id: 'r', total: 20 },
      },
      { id: `${user}-8`, event: 'Product Viewed', user, at: now, properties: { product_id: 'care-kit' } },
    ];
  });
  // Told in any order, one in five twice.
  const told = said.flatMap((one) => (draw() < 0.2 ? [one, one] : [one]));
  for (let at = told.length - 1; at > 0; at--) {
    const other = Math.floor(draw() * (at + 1));
    [told[at], told[other]] = [told[other]!, told[at]!];
  }
  return told;
}

async function expectCounted(group: string): Promise<void> {
  for (let at = 0; at < PEOPLE; at++) {
    const user = `${group}-${at}`;
    const contact = await shop.contact(user);
    expect({ user, ...contact.facts.orders }).toMatchObject({
      user,
      count: 3,
      gross: 270_000,
      refunded: 2000,
      returned: 1,
    });
    expect(contact.aliases.filter((alias) => /^(user|address|anonymous)#/.test(alias))).toHaveLength(3);
    expect((await shop.contactOfDevice(`${user}-d`))?.id).toBe(contact.id);
  }
}

/** Mails by message id, of those who belong to a group. */
async function mailsOf(group: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { to, tags } of await shop.mails()) {
    const id = tags['kairos-message'];
    if (id !== undefined && to[0]?.startsWith(`${group}-`)) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

async function messagesOf(group: string) {
  const all = await Promise.all(Array.from({ length: PEOPLE }, (_, at) => shop.messages({ user: `${group}-${at}` })));
  return all.flat();
}

const everywhere: Trouble[] = [
  { at: 'invoke:record-interaction', kind: 'error', share: 0.1, seed: 1 },
  { at: 'invoke:record-interaction', kind: 'drop', share: 0.1, seed: 2 },
  { at: 'invoke:hand-off', kind: 'lose', share: 0.2, seed: 3 },
  { at: 'invoke:hand-off', kind: 'drop', share: 0.2, seed: 4 },
  { at: 'invoke:walk-due', kind: 'lose', share: 0.2, seed: 5 },
  { at: 'invoke:walk-due', kind: 'drop', share: 0.2, seed: 6 },
  { at: 'invoke:send-message', kind: 'drop', share: 0.1, seed: 7 },
  { at: 'invoke:receive-feedback', kind: 'drop', share: 0.1, seed: 8 },
  { at: 'SendMessageBatch', kind: 'partial', share: 0.3, seed: 9 },
  { at: 'GetObject', kind: 'error', share: 0.2, seed: 10 },
  { at: 'SendEmail', kind: 'drop', share: 0.1, seed: 11 },
  { at: 'SendEmail', kind: 'error', share: 0.1, seed: 12 },
  { at: 'SendEmail', kind: 'throttle', share: 0.1, seed: 13 },
  { at: 'event:Send', kind: 'repeat', share: 0.3, seed: 14 },
];
const engineTrouble = { throttle: 0.02, error: 0.01, conflict: 0.05, drop: 0.02, unprocessed: 0.1 };

describe('while news of SES arrives', () => {
  it('every event counts once, and every message is in the mailbox exactly once', async () => {
    const troubles = everywhere.map((trouble) => shop.laptop.simulate(trouble));
    const late = shop.laptop.simulate({ at: 'event:Send', kind: 'delay', share: 0.2, seed: 15 });
    engine.trouble(engineTrouble);
    await shop.send(...lives('here'));
    late.release();
    await shop.idle();
    for (let minutes = 0; minutes < 12; minutes++) {
      await shop.forward('1m');
      late.release();
      await shop.idle();
    }
    const struck = troubles.map((trouble) => trouble.struck());
    for (const trouble of [...troubles, late]) trouble.stop();
    engine.trouble({});
    await shop.idle();
    expect(struck.reduce((sum, times) => sum + times, 0)).toBeGreaterThan(20);
    expect(Object.values(engine.struck).every((times) => times > 0)).toBe(true);

    // Later claims, whose Send events let open ones be made again; then until everything that waits has been sent.
    for (const hour of [1, 2, 3]) {
      await shop.send({
        event: 'Consent Requested',
        user: `later-${hour}`,
        email: `later-${hour}@customers.example`,
        properties: { topic: 'news' },
      });
      await shop.forward('1h');
    }
    await shop.forward('9d');
    await expectCounted('here');
    const messages = await messagesOf('here');
    const mails = await mailsOf('here');
    const states = Map.groupBy(messages, ({ state }) => state);
    expect([...states.keys()]).toEqual(['sent']);
    expect([...mails.values()].filter((times) => times !== 1)).toEqual([]);
    expect([...mails.keys()].toSorted()).toEqual(messages.map(({ id }) => id).toSorted());
    const confirmations = messages.filter(({ campaign }) => campaign === 'confirm-subscription');
    expect(confirmations).toHaveLength(PEOPLE);
    expect(messages.some(({ attempts }) => attempts > 1)).toBe(true);
    expect(await shop.deadLetters()).toEqual([]);
  }, 180_000);
});

describe('while SES is silent', () => {
  it('every event counts once, no message is in the mailbox twice, and what nobody knows is listed as uncertain', async () => {
    await shop.next();
    const silent = ['Send', 'Delivery'].map((type): Trouble => ({ at: `event:${type}`, kind: 'lose' }));
    const troubles = [...silent, ...everywhere].map((trouble) => shop.laptop.simulate(trouble));
    engine.trouble(engineTrouble);
    await shop.send(...lives('silence'));
    await shop.forward('12m');
    for (const trouble of troubles.slice(silent.length)) trouble.stop();
    engine.trouble({});
    await shop.forward('7h');
    await shop.forward('9d');
    await expectCounted('silence');
    const messages = await messagesOf('silence');
    const mails = await mailsOf('silence');
    expect([...mails.values()].filter((times) => times > 1)).toEqual([]);
    const uncertain = messages.filter(({ state }) => state === 'uncertain');
    const sent = messages.filter(({ state }) => state === 'sent');
    expect(uncertain.length).toBeGreaterThan(0);
    expect(uncertain.length + sent.length).toBe(messages.length);
    // What is called sent was sent; of the uncertain, some were and some were not.
    expect(sent.filter(({ id }) => mails.get(id) !== 1)).toEqual([]);
    const lost = uncertain.filter(({ id }) => !mails.has(id)).length;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(uncertain.length);
    expect(shop.laptop.logs().filter((line) => line.includes('claim.uncertain'))).toHaveLength(uncertain.length);
    for (const trouble of troubles) trouble.stop();
  }, 180_000);
});
