// Held out: drawn once at entry, they walk the same steps, are never written to, and what they do is counted beside the others.
import { SQSClient } from '@aws-sdk/client-sqs';
import { beforeAll, describe, expect, it } from 'vitest';
import { findPerson, describe as tell } from '../../cli/contact.ts';
import { clientConfig } from '../../cli/publish.ts';
import { holdStage, readBook } from '../../cli/stage.ts';
import type { Contact } from '../../domain/contact.ts';
import { drawOf } from '../../domain/draw.ts';
import type { Message } from '../../domain/message.ts';
import { Queue } from '../../functions/aws/queue.ts';
import { readMessage } from '../../functions/aws/table.ts';
import { aStory, order, type Story } from '../support/laptop.ts';

const CAMPAIGN = 'after-workshop';
const campaign = {
  kind: 'marketing',
  aim: 'cross-sell',
  topic: 'offers',
  sender: 'main',
  when: { did: 'Workshop Booked' },
  again: 'never',
  holdout: 50,
  steps: [
    { wait: '1h' },
    { send: 'win-back' },
    { wait: '1d' },
    { notify: 'Seat Kept' },
    { set: { favouriteCategory: 'workshops' } },
    { send: 'vip-thank-you', variants: { 'subject-a': 50, 'subject-b': 50 } },
  ],
  success: { did: 'Order Completed', within: '7d', value: 'revenue' },
};

const story = aStory({
  change: (folder) => {
    // Nothing else writes to anybody here: a mail is a mail of this campaign.
    for (const other of ['welcome', 'cross-sell', 'up-sell', 'win-back', 'vip-thank-you']) {
      folder.remove(`campaigns/${other}.json`);
    }
    for (const locale of ['en', 'de', 'pl']) {
      folder.edit(`emails/vip-thank-you/${locale}.json`, (texts) => {
        Object.assign(texts, { variants: { 'subject-b': { subject: 'For you' } } });
      });
    }
    folder.write(`campaigns/${CAMPAIGN}.json`, campaign);
  },
});

const PEOPLE = Array.from({ length: 16 }, (_, n) => `person-${n}`);
const emailOf = (user: string) => `${user}@customers.example`;
/** Users by arm, as drawn. */
const arms: { sent: string[]; ghost: string[] } = { sent: [], ghost: [] };
const contacts = new Map<string, Contact>();

const messagesOf = (shop: Story, user: string): Promise<Message[]> => shop.messages({ user, campaign: CAMPAIGN });
const runOf = async (shop: Story, user: string) =>
  (await shop.contact(user)).journey.runs.find((run) => run.campaign === CAMPAIGN);
/** Counters of the campaign over its days and the shards of the stream. */
async function counters(shop: Story): Promise<Record<string, number>> {
  await shop.laptop.idle();
  const sums: Record<string, number> = {};
  for (const item of await shop.table.under(`REPORT#${CAMPAIGN}`, '20')) {
    for (const [name, value] of Object.entries(item)) {
      if (typeof value === 'number') sums[name] = (sums[name] ?? 0) + value;
    }
  }
  return sums;
}

beforeAll(async () => {
  const shop = story();
  for (const user of PEOPLE) await shop.customer(user);
  await shop.forward('1m');
  await shop.send(...PEOPLE.map((user) => ({ event: 'Workshop Booked', user, properties: { workshop: 'Light' } })));
  for (const user of PEOPLE) {
    const contact = await shop.contact(user);
    contacts.set(user, contact);
    arms[contact.journey.runs[0]?.heldOut === undefined ? 'sent' : 'ghost'].push(user);
  }
});

describe('given a campaign that holds out half of the people', () => {
  it('draws both arms at entry, by a hash that anybody can recompute', () => {
    expect(arms.sent.length).toBeGreaterThan(1);
    expect(arms.ghost.length).toBeGreaterThan(1);
    for (const [user, { id }] of contacts) {
      expect(arms.ghost.includes(user)).toBe(drawOf('holdout/1', CAMPAIGN, id) < 50);
    }
  });

  it('has both arms walk the same steps at the same instants: mails to one, ghosts of the other', async () => {
    const shop = story();
    await shop.forward('2d');
    const seen = new Set<string>();
    for (const user of PEOPLE) {
      const messages = await messagesOf(shop, user);
      const start = contacts.get(user)!.journey.runs[0]!.startedAt;
      seen.add(
        JSON.stringify(
          messages.map(({ step, email, plannedAt }) => [step, email, Math.round((plannedAt - start) / 60_000)]),
        ),
      );
      const isGhost = arms.ghost.includes(user);
      expect(messages.map(({ state }) => state)).toEqual(isGhost ? ['ghost', 'ghost'] : ['sent', 'sent']);
      expect((await shop.mails(emailOf(user))).length).toBe(isGhost ? 0 : 2);
    }
    expect(seen.size).toBe(1);
  });

  it('tells nobody, sets nothing and takes no place under the caps for those held out', async () => {
    const shop = story();
    const told = new Set((await shop.items('NOTICE#')).map(({ pk }) => pk));
    for (const user of PEOPLE) {
      const { id, facts, journey } = await shop.contact(user);
      const isGhost = arms.ghost.includes(user);
      expect(told.has(`CONTACT#${id}`)).toBe(!isGhost);
      expect(facts.attributes.favouriteCategory?.value).toBe(isGhost ? undefined : 'workshops');
      expect(journey.sends).toHaveLength(isGhost ? 0 : 2);
      if (isGhost) expect((await runOf(shop, user))?.pending ?? []).toEqual([]);
    }
  });

  it('is never written to, whoever asks the senders, nor on the days after', async () => {
    const shop = story();
    const { outputs, env } = shop.laptop;
    const queue = new Queue(new SQSClient(clientConfig({ env }, 'SQS')));
    const ghosts = (await shop.messages({ campaign: CAMPAIGN, state: 'ghost' })).map(({ contact, id }) => ({
      contact,
      message: id,
    }));
    expect(ghosts).toHaveLength(2 * arms.ghost.length);
    for (const name of ['TriggeredQueueUrl', 'BulkQueueUrl']) await queue.send(outputs[name]!, ghosts);
    await shop.forward('1d');
    for (const user of arms.ghost) expect(await shop.mails(emailOf(user))).toEqual([]);
    expect((await shop.items('MESSAGE#')).map(readMessage).filter(({ state }) => state === 'ghost')).toHaveLength(
      ghosts.length,
    );
    expect(await shop.deadLetters()).toEqual([]);
  });

  it('counts who buys in both arms, once, with what it was worth, on the last message and in the counters', async () => {
    const shop = story();
    const buyers = [...arms.sent.slice(0, 2), arms.ghost[0]!];
    for (const user of buyers) {
      await shop.send({ event: 'Order Completed', user, properties: order(`${user}-1`, ['strap', 40]) });
      await shop.send({ event: 'Order Completed', user, properties: order(`${user}-2`, ['strap', 99]) });
    }
    for (const user of PEOPLE) {
      const [first, second] = await messagesOf(shop, user);
      expect(first?.conversion).toBeUndefined();
      expect(second?.conversion).toEqual(
        buyers.includes(user)
          ? { at: expect.any(Number), event: 'Order Completed', order: `shop#${user}-1`, value: 4000 }
          : undefined,
      );
    }
    const counted = await counters(shop);
    const [sent, ghost] = [2 * arms.sent.length, 2 * arms.ghost.length];
    expect(counted).toMatchObject({
      made: sent,
      delivered: sent,
      ghost,
      converted: 2,
      value: 8000,
      'ghost-converted': 1,
      'ghost-value': 4000,
    });
    const by = (name: string) =>
      ['subject-a', 'subject-b'].reduce((sum, variant) => sum + (counted[`vip-thank-you~${variant}~${name}`] ?? 0), 0);
    expect([by('sent'), by('ghost'), by('converted'), by('value'), by('ghost-converted'), by('ghost-value')]).toEqual([
      arms.sent.length,
      arms.ghost.length,
      2,
      8000,
      1,
      4000,
    ]);
  });

  it('says of a person that nothing was sent, where people look', async () => {
    const shop = story();
    const { outputs, env } = shop.laptop;
    const stage = holdStage({ stage: 'laptop', outputs, env }, () => shop.now());
    const { id } = await shop.contact(arms.ghost[0]!);
    const lines = tell(await findPerson(shop.table, { id }), await readBook(stage), shop.now());
    expect(lines.filter((line) => line.includes('held out, nothing sent'))).toHaveLength(2);
  });
});
