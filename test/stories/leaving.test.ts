// Whom not to write to: bounces, complaints, one-click unsubscribes, and what the tool before knew.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { importSuppressions } from '../../cli/import-suppressions.ts';
import { openImport } from '../../cli/import-target.ts';
import { key } from '../../functions/aws/table.ts';
import { aStory, DAY, hashOf, linkIn, order, type Said, type Story } from '../support/laptop.ts';

const story = aStory();
beforeEach(() => story().next());

async function suppressionOf(shop: Story, address: string) {
  return shop.table.readOne(key.suppression(hashOf(address)));
}

/** Somebody with an address of SES's mailbox simulator, who has just been welcomed there. */
async function simulated(shop: Story, user: string, mailbox: string): Promise<string> {
  const email = `${mailbox}+${user}@simulator.amazonses.com`;
  await shop.send(
    { event: 'identify', user, email },
    { event: 'Consent Granted', user, properties: { topic: 'offers' } },
  );
  return email;
}

const bought = (user: string, id = `${user}-1`): Said => ({
  event: 'Order Completed',
  user,
  properties: order(id, ['halden-one', 649]),
});

describe('a bounce', () => {
  it('suppresses the address: nothing more is sent there, service mail included', async () => {
    const shop = story();
    const email = await simulated(shop, 'bob', 'bounce');
    expect(await shop.mails(email)).toHaveLength(1);
    expect(await shop.messages({ user: 'bob' })).toMatchObject([{ state: 'sent', delivery: 'bounced' }]);
    expect(await suppressionOf(shop, email)).toMatchObject({ reason: 'bounced' });
    expect((await shop.contact('bob')).facts.suppressed?.reason).toBe('bounced');

    await shop.send(bought('bob'), { event: 'Consent Requested', user: 'bob', properties: { topic: 'news' } });
    await shop.forward('9d');
    expect(await shop.mails(email)).toHaveLength(1);
    const { decisions } = (await shop.contact('bob')).journey;
    expect(decisions['cross-sell']).toMatchObject({ reason: 'suppressed: bounced' });
    expect(await shop.messages({ user: 'bob' })).toHaveLength(1);

    // Another address of theirs may be written to.
    await shop.send({ event: 'identify', user: 'bob', email: 'bob@customers.example' });
    expect((await shop.contact('bob')).facts.suppressed).toBeUndefined();
    await shop.forward('31d');
    await shop.send(bought('bob', 'bob-2'));
    await shop.forward('9d');
    expect(await shop.mails('bob@customers.example')).toHaveLength(1);
  });

  it('takes back what waits for its hour', async () => {
    const shop = story();
    const email = await shop.customer('wanda', { timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    // Seven days later it is night, too.
    await shop.next('22:00');
    const night = shop.now();
    await shop.send(bought('wanda'));
    await shop.until(night + 7 * DAY + 60_000);
    expect(await shop.messages({ user: 'wanda', campaign: 'cross-sell' })).toMatchObject([{ state: 'ready' }]);
    await shop.feedback((await shop.mails(email))[0]!, 'Bounce', {
      bounce: { timestamp: new Date(shop.now()).toISOString(), bounceType: 'Permanent', bounceSubType: 'NoEmail' },
    });
    expect(await shop.messages({ user: 'wanda', campaign: 'cross-sell' })).toMatchObject([
      { state: 'dropped', reason: 'suppressed: bounced' },
    ]);
    await shop.forward('2d');
    expect(await shop.mails(email, 'cross-sell')).toEqual([]);
    expect((await shop.contact('wanda')).journey.sends).toEqual([]);
  });

  it('that is soft suppresses nobody', async () => {
    const shop = story();
    const email = await shop.customer('sofia');
    const [mail] = await shop.mails(email);
    for (const bounceType of ['Transient', 'Undetermined']) {
      await shop.feedback(mail!, 'Bounce', {
        bounce: { timestamp: new Date(shop.now()).toISOString(), bounceType, bounceSubType: 'General' },
      });
    }
    expect(await suppressionOf(shop, email)).toBeUndefined();
    await shop.forward('2d');
    await shop.send(bought('sofia'));
    await shop.forward('9d');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
  });
});

describe('a complaint', () => {
  it('suppresses the address, and what comes late or twice changes nothing', async () => {
    const shop = story();
    const twice = shop.laptop.simulate({ at: 'event:Complaint', kind: 'repeat' });
    const late = shop.laptop.simulate({ at: 'event:Delivery', kind: 'delay' });
    const email = await simulated(shop, 'cora', 'complaint');
    late.stop();
    twice.stop();
    await shop.idle();
    expect(await shop.messages({ user: 'cora' })).toMatchObject([{ state: 'sent', delivery: 'complained' }]);
    expect(await suppressionOf(shop, email)).toMatchObject({ reason: 'complained' });
    await shop.forward('2d');
    await shop.send(bought('cora'));
    await shop.forward('9d');
    expect(await shop.mails(email)).toHaveLength(1);
  });
});

describe('a one-click unsubscribe', () => {
  it('is offered in each marketing mail as RFC 8058 asks, and only a POST does it', async () => {
    const shop = story();
    const email = await shop.customer('luis');
    const [mail] = await shop.mails(email);
    const header = (name: string) => mail?.headers.find((each) => each.name === name)?.value;
    expect(header('List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
    const url = /^<(https?:\/\/[^>]+)>$/.exec(header('List-Unsubscribe') ?? '')?.[1] ?? '';
    expect(url).toBe(linkIn(mail!, 'u'));
    expect(mail?.text).toContain(url);

    const page = await shop.visit(url, 'GET');
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(page.body).toContain('method="post"');
    expect((await shop.visit(url, 'HEAD')).body).toBe('');
    expect((await shop.contact('luis')).facts.withdrawn).toEqual({});

    await shop.forward('2d');
    await shop.send(bought('luis'));
    await shop.forward('1d');
    const gone = shop.now();
    expect((await shop.visit(url, 'POST', 'List-Unsubscribe=One-Click')).status).toBe(200);
    expect((await shop.contact('luis')).facts.withdrawn.aurora?.at).toBeGreaterThanOrEqual(gone - 1000);
    await shop.forward('9d');
    expect(await shop.mails(email)).toHaveLength(1);
    expect((await shop.contact('luis')).journey.runs).toMatchObject([{ campaign: 'up-sell' }]);

    // A later consent ends it; the old link leaves again.
    await shop.send({ event: 'Consent Granted', user: 'luis', properties: { topic: 'offers' } });
    await shop.forward('30d');
    await shop.send(bought('luis', 'luis-2'));
    await shop.forward('8d');
    expect(await shop.mails(email, 'cross-sell')).toHaveLength(1);
    await shop.visit(url, 'POST', 'List-Unsubscribe=One-Click');
    expect((await shop.contact('luis')).facts.withdrawn.aurora?.at).toBeGreaterThan(gone);
  });

  it('says that it is done only when it is', async () => {
    const shop = story();
    const email = await shop.customer('lars');
    const url = linkIn((await shop.mails(email))[0]!, 'u');
    const trouble = shop.laptop.simulate({ at: 'PutEvents', kind: 'error' });
    const refused = await shop.visit(url, 'POST');
    trouble.stop();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '60']);
    expect((await shop.contact('lars')).facts.withdrawn).toEqual({});
    expect((await shop.visit(url, 'POST')).status).toBe(200);
    expect((await shop.contact('lars')).facts.withdrawn.aurora).toBeDefined();
  });

  it('drops at the send what was decided before it', async () => {
    const shop = story();
    const email = await shop.customer('olga', { timezone: 'Europe/Berlin' });
    const url = linkIn((await shop.mails(email))[0]!, 'u');
    await shop.forward('2d');
    await shop.next('22:00');
    const night = shop.now();
    await shop.send(bought('olga'));
    await shop.until(night + 7 * DAY + 60_000);
    expect(await shop.messages({ user: 'olga', campaign: 'cross-sell' })).toMatchObject([{ state: 'ready' }]);
    await shop.visit(url, 'POST');
    await shop.forward('1d');
    expect(await shop.messages({ user: 'olga', campaign: 'cross-sell' })).toMatchObject([
      { state: 'dropped', reason: 'no consent' },
    ]);
    expect(await shop.mails(email, 'cross-sell')).toEqual([]);
  });

  it('holds for the person also after they were merged with another', async () => {
    const shop = story();
    const email = 'merle@customers.example';
    await shop.send({ event: 'identify', email });
    await shop.send({ event: 'Consent Granted', email, properties: { topic: 'offers' } });
    const url = linkIn((await shop.mails(email))[0]!, 'u');
    await shop.forward('1m');
    await shop.send({ event: 'identify', user: 'merle', traits: { firstName: 'Merle' } });
    await shop.send({ event: 'identify', user: 'merle', email });
    await shop.visit(url, 'POST');
    expect((await shop.contact('merle')).facts.withdrawn.aurora).toBeDefined();
  });
});

describe('what the tool before knew', () => {
  it('blocks the bounced for good and the unsubscribed until they consent anew, though they are no contacts yet', async () => {
    const shop = story();
    const then = new Date(shop.now() - 30 * DAY).toISOString();
    const address = (user: string) => `${user}@customers.example`;
    const file = join(shop.folder.path, 'suppressions.csv');
    const rows = [
      `${address('ines')},,bounced,${then}`,
      `,${hashOf(address('igor'))},complained,${then}`,
      `${address('ivy').toUpperCase()},,unsubscribed,${then}`,
      `${address('ian')},,soft bounce,${then}`,
      'not an address,,bounced,',
    ];
    writeFileSync(file, `email,hash,reason,date\n${rows.join('\n')}\n`);
    const { outputs, env } = shop.laptop;
    const target = openImport({ stage: 'laptop', outputs, env }, () => shop.now());
    const told = await importSuppressions(file, target, { brand: 'aurora' });
    expect(told).toMatchObject({ rows: 5, suppressions: 2, withdrawals: 1, known: 0 });
    expect(await importSuppressions(file, target, { brand: 'aurora' })).toMatchObject({
      suppressions: 0,
      withdrawals: 0,
      known: 3,
    });

    const old: Said[] = ['ines', 'igor', 'ivy', 'ian'].flatMap((user) => [
      { event: 'identify', user, email: address(user) },
      {
        event: 'Consent Granted',
        user,
        at: shop.now() - 100 * DAY,
        properties: { topic: 'offers', basis: 'imported' },
      },
    ]);
    await shop.send(...old);
    await shop.send(...['ines', 'igor', 'ivy', 'ian'].map((user) => bought(user)));
    await shop.forward('9d');
    const count = async (user: string) => (await shop.mails(address(user))).length;
    expect([await count('ines'), await count('igor'), await count('ivy'), await count('ian')]).toEqual([0, 0, 0, 1]);

    await shop.send(
      ...['ines', 'ivy'].map((user): Said => ({ event: 'Consent Granted', user, properties: { topic: 'offers' } })),
    );
    expect(await count('ines')).toBe(0);
    expect((await shop.mails(address('ivy'))).map(({ subject }) => subject)).toEqual(['Welcome to Aurora Camera']);
  });
});

it('no event of the file died', async () => {
  expect(await story().deadLetters()).toEqual([]);
});
