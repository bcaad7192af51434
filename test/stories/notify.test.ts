// A campaign that tells others: what they hear, how they answer, and that nothing of it is lost or goes round for ever.
import { describe, expect, it } from 'vitest';
import { listNotices, repeatNotices } from '../../cli/notices.ts';
import { holdStage } from '../../cli/stage.ts';
import { findings, readStatus } from '../../cli/status.ts';
import type { Interaction } from '../../domain/interaction.ts';
import { lastActions } from '../../functions/aws/controls.ts';
import { type Item, readInteraction, readNotice } from '../../functions/aws/table.ts';
import { aStory, order, type Story } from '../support/laptop.ts';

/** The first large order of a person: the call centre is told, and by what it reached the campaign goes on. */
const campaign = {
  kind: 'marketing',
  aim: 'loyalty',
  topic: 'loyalty',
  sender: 'founder',
  when: { did: 'Order Completed', where: { revenue: { atLeast: 500 } } },
  again: 'never',
  steps: [
    { wait: '1h' },
    {
      notify: 'Call Wanted',
      with: { channel: 'call-centre', phone: '@contact.phone', order: '@trigger.order_id', urgent: true },
    },
    {
      waitFor: { did: 'Call Made', where: { outcome: 'reached' }, since: 'run start' },
      upTo: '7d',
      then: [{ send: 'vip-thank-you' }],
    },
  ],
};
const story = aStory({
  change: (folder) => {
    folder.edit('fields.json', (fields) => {
      Object.assign(fields.attributes as object, { phone: 'text' });
      Object.assign(fields.events as object, { 'Call Made': { outcome: 'text' } });
    });
    // What else a first order leads to takes no place.
    folder.edit('settings.json', (settings) => Object.assign(settings, { caps: [{ most: 9, in: '1d' }] }));
    folder.write('campaigns/vip-call.json', campaign);
  },
});

const notices = async (shop: Story): Promise<Item[]> => shop.items('NOTICE#');
/** What came back of our own events to a contact. */
const heard = async (shop: Story, contact: string): Promise<Interaction[]> =>
  (await shop.table.under(`SUBJECT#contact#${contact}`, 'INTERACTION#')).map(readInteraction);
/** A large order of somebody who may be written to and called. */
async function buys(shop: Story, user: string): Promise<{ email: string; contact: string }> {
  await shop.next('12:00');
  const email = await shop.customer(user, { phone: '+49 30 1234567' });
  await shop.send(
    { event: 'Consent Granted', user, properties: { topic: 'loyalty', basis: 'double' } },
    { event: 'Order Completed', user, properties: order(`${user}-1`, ['camera-x100', 1500]) },
  );
  return { email, contact: (await shop.contact(user)).id };
}
/** Who else is asked for the person knows nothing but what the notice said. */
const answer = (notice: Interaction, properties: object, id: string) => ({
  type: 'track',
  event: 'Call Made',
  messageId: id,
  contactId: notice.who.contact,
  hops: notice.hops,
  properties,
});

describe('given a campaign that hands over to the call centre', () => {
  it('tells it on the bus what it needs, and it stands in the history of the person', async () => {
    const shop = story();
    const { contact } = await buys(shop, 'vera');
    await shop.forward('59m');
    expect(await notices(shop)).toEqual([]);
    await shop.forward('2m');
    const [item, ...others] = await notices(shop);
    expect(others).toEqual([]);
    expect(item).toMatchObject({ pk: `CONTACT#${contact}`, state: 'done' });
    expect(item?.duePk).toBeUndefined();
    const [told] = await heard(shop, contact);
    expect(told).toMatchObject({
      id: readNotice(item!).id,
      name: 'Call Wanted',
      source: 'kairos',
      who: { contact },
      hops: 1,
      properties: {
        channel: 'call-centre',
        phone: '+49 30 1234567',
        order: 'vera-1',
        urgent: true,
        campaign: 'vip-call',
        step: '1',
        run: expect.any(String),
      },
    });
    const { runs } = (await shop.contact('vera')).journey;
    expect(runs.find((run) => run.campaign === 'vip-call')).toMatchObject({ at: 2 });
  });

  it('goes on when the call centre answers with the id that it was given, through the bus', async () => {
    const shop = story();
    const email = 'vera@customers.example';
    const [told] = await heard(shop, (await shop.contact('vera')).id);
    const busy = answer(told!, { outcome: 'busy' }, 'call-1');
    await shop.put({ Source: 'call-centre', DetailType: 'Call Made', Detail: JSON.stringify(busy) });
    expect(await shop.mails(email, 'vip-call')).toEqual([]);
    const reached = answer(told!, { outcome: 'reached' }, 'call-2');
    await shop.put({ Source: 'call-centre', DetailType: 'Call Made', Detail: JSON.stringify(reached) });
    expect(await shop.mails(email, 'vip-call')).toHaveLength(1);
    const calls = (await heard(shop, told!.who.contact!)).filter(({ name }) => name === 'Call Made');
    expect(calls.map(({ source, properties }) => [source, properties.outcome])).toEqual([
      ['call-centre', 'busy'],
      ['call-centre', 'reached'],
    ]);
  });

  it('and through the HTTPS door too, but not with the key of a browser, and not for somebody unknown', async () => {
    const shop = story();
    const { email, contact } = await buys(shop, 'vito');
    await shop.forward('61m');
    const [told] = await heard(shop, contact);
    const reached = answer(told!, { outcome: 'reached' }, 'call-3');
    expect((await shop.post(reached, { secret: 'browser.open-sesame' })).status).toBe(403);
    expect((await shop.post({ ...reached, contactId: 'somebody', messageId: 'call-4' })).status).toBe(202);
    expect(await shop.mails(email, 'vip-call')).toEqual([]);
    expect(await heard(shop, 'somebody')).toEqual([]);
    expect((await shop.post(reached)).status).toBe(202);
    expect(await shop.mails(email, 'vip-call')).toHaveLength(1);
    expect(await shop.deadLetterOf('call-')).toEqual([]);
  });

  it('finds the person also after two contacts became one', async () => {
    const shop = story();
    const device = { anonymous: 'old-tablet', properties: { product_id: 'camera-x100' } };
    await shop.send({ event: 'Product Viewed', ...device });
    const { contact, email } = await buys(shop, 'vlad');
    await shop.forward('61m');
    const [told] = await heard(shop, contact);
    await shop.send({ event: 'identify', user: 'vlad', anonymous: 'old-tablet' });
    expect((await shop.contact('vlad')).id).not.toBe(contact);
    await shop.post(answer(told!, { outcome: 'reached' }, 'call-5'));
    expect(await shop.mails(email, 'vip-call')).toHaveLength(1);
  });

  it('does not go on for those who were not reached in a week', async () => {
    const shop = story();
    const { email } = await buys(shop, 'vala');
    await shop.forward('8d');
    expect(await shop.mails(email, 'vip-call')).toEqual([]);
    expect((await shop.contact('vala')).journey.runs.filter((run) => run.ended === undefined)).toEqual([]);
  });
});

describe('given a bus that takes nothing', () => {
  it('tells later, once, and what was told meanwhile waits in the table', async () => {
    const shop = story();
    const { contact } = await buys(shop, 'vera-2');
    const trouble = shop.laptop.simulate({
      at: 'PutEvents',
      kind: 'refuse',
      answer: { status: 500, type: 'InternalException', message: 'no' },
    });
    await shop.forward('63m');
    const [item] = (await notices(shop)).filter(({ pk }) => pk === `CONTACT#${contact}`);
    expect(item).toMatchObject({ state: 'due' });
    trouble.stop();
    await shop.forward('2m');
    expect((await heard(shop, contact)).map(({ name }) => name)).toEqual(['Call Wanted']);
  });

  it('gives up after a day of refusals: listed, and told again by hand', async () => {
    const shop = story();
    const { contact } = await buys(shop, 'vero');
    const { outputs, env } = shop.laptop;
    const stage = holdStage({ stage: 'laptop', outputs, env }, () => shop.now());
    const trouble = shop.laptop.simulate({ at: 'PutEvents', kind: 'partial' });
    await shop.forward('61m');
    shop.sleepThrough('25h');
    await shop.timers();
    trouble.stop();
    expect((await listNotices(stage)).map(({ notice }) => [notice.contact, notice.event])).toEqual([
      [contact, 'Call Wanted'],
    ]);
    const found = findings(await readStatus(stage)).map(({ says }) => says);
    expect(found).toContain('Some of what campaigns tell others never reached the bus.');
    expect(await heard(shop, contact)).toEqual([]);
    expect(await repeatNotices({ ...stage, who: async () => 'ops' })).toBe(1);
    await shop.forward('1m');
    expect((await heard(shop, contact)).map(({ name }) => name)).toEqual(['Call Wanted']);
    expect(await listNotices(stage)).toEqual([]);
    expect((await lastActions(shop.table, 1))[0]).toMatchObject({ what: 'tell again', by: 'ops' });
  });
});
