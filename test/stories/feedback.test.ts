// What SES and people say of mails, by the default bus: late, repeated, out of order; by machines; over weeks.
import { beforeEach, describe, expect, it } from 'vitest';
import { key } from '../../functions/aws/table.ts';
import type { Happening, Mail } from '../../local/laptop.ts';
import { aStory, hashOf, linkIn, type Said, type Story } from '../support/laptop.ts';

const story = aStory({
  context: { trackOpens: true },
  change: (folder) => {
    folder.edit('settings.json', (settings) => {
      settings.tracking = { opens: true };
      (settings.topics as Record<string, object>).tracking = { title: 'Reading along' };
    });
    folder.edit('fields.json', (fields) => {
      Object.assign(fields.events as object, { 'Sale Started': { ends: 'date' } });
    });
    folder.write('campaigns/sale.json', {
      kind: 'marketing',
      aim: 'loyalty',
      topic: 'offers',
      sender: 'main',
      again: 'every time',
      when: { did: 'Sale Started' },
      steps: [
        { send: 'welcome' },
        {
          then: [{ send: 'vip-thank-you' }],
          waitFor: { did: 'Email Clicked', since: 'run start' },
          upTo: '5d',
          else: [{ stop: 'no interest' }],
        },
      ],
    });
  },
});
beforeEach(() => story().next());

/** Somebody asks for a confirmation: one service mail, at once. */
const asks = (user: string, email = `${user}@customers.example`): Said => ({
  event: 'Consent Requested',
  user,
  email,
  properties: { topic: 'news' },
});
const suppressionOf = (shop: Story, email: string) => shop.table.readOne(key.suppression(hashOf(email)));
const lastMail = async (shop: Story, email: string): Promise<Mail> => (await shop.mails(email)).at(-1)!;

describe('every kind of news, told four times and the latest first', () => {
  const click: Happening = {
    kind: 'click',
    link: 'https://shop.aurora-camera.example/',
    marks: { isBotEvent: 'Unlikely' },
  };
  const courses: [name: string, course: Happening[], ends: object, suppressed?: string][] = [
    ['delivered', [{ kind: 'delay' }, { kind: 'deliver' }], { delivery: 'delivered' }],
    ['late', [{ kind: 'delay' }], { delivery: 'delayed' }],
    ['gone', [{ kind: 'bounce', subType: 'NoEmail' }], { delivery: 'bounced' }, 'bounced'],
    ['full', [{ kind: 'bounce', type: 'Transient', subType: 'MailboxFull' }], { delivery: 'soft-bounced' }],
    ['unclear', [{ kind: 'bounce', type: 'Undetermined', subType: 'Undetermined' }], { delivery: 'soft-bounced' }],
    [
      'away',
      [{ kind: 'deliver' }, { kind: 'bounce', type: 'Transient', subType: 'General' }],
      { delivery: 'delivered' },
    ],
    ['angry', [{ kind: 'deliver' }, { kind: 'complain' }], { delivery: 'complained' }, 'complained'],
    [
      'thorough',
      [{ kind: 'deliver' }, { kind: 'bounce', subType: 'General' }, { kind: 'complain' }],
      { delivery: 'complained' },
      'complained',
    ],
    ['content', [{ kind: 'deliver' }, { kind: 'complain', feedbackType: 'not-spam' }], { delivery: 'delivered' }],
    ['infected', [{ kind: 'reject' }], { delivery: 'rejected' }],
    ['unrendered', [{ kind: 'rendering-failure' }], { delivery: 'rejected' }],
    ['curious', [click, { kind: 'deliver' }], { delivery: 'delivered', clickedAt: expect.any(Number) }],
    [
      'scanned',
      [{ kind: 'deliver' }, { ...click, marks: { isBotEvent: 'Likely' } }],
      { delivery: 'delivered', clickedAt: undefined },
    ],
  ];

  it('ends in one state each, and no dead letter', async () => {
    const shop = story();
    const names = ['Send', 'Delivery', 'DeliveryDelay', 'Bounce', 'Complaint', 'Reject', 'Rendering Failure', 'Click'];
    const rules = courses.map(([name, does]) => shop.laptop.recipients({ to: `${name}@customers.example`, does }));
    const late = names.map((name) => shop.laptop.simulate({ at: `event:${name}`, kind: 'delay', share: 0.5, seed: 3 }));
    const often = names.map((name) => shop.laptop.simulate({ at: `event:${name}`, kind: 'repeat', copies: 4 }));
    await shop.send(...courses.map(([name]) => asks(name)));
    expect(late.some((each) => each.struck() > 0)).toBe(true);
    for (const each of late) each.release('latest first');
    for (const each of [...late, ...often]) each.stop();
    await shop.idle();
    for (const [name, , ends, suppressed] of courses) {
      const [message] = await shop.messages({ user: name, campaign: 'confirm-subscription' });
      expect({ name, clickedAt: undefined, ...message }).toMatchObject({ name, state: 'sent', ...ends });
      const found = await suppressionOf(shop, `${name}@customers.example`);
      expect({ name, reason: found?.reason }).toEqual({ name, reason: suppressed });
      expect((await shop.contact(name)).facts.suppressed?.reason).toBe(suppressed);
    }
    for (const rule of rules) {
      expect(rule.met()).toBe(1);
      rule.stop();
    }
    expect(await shop.deadLetters()).toEqual([]);
  });
});

describe('an open', () => {
  it('is known of who consents to tracking, and of nobody else', async () => {
    const shop = story();
    const consents = (user: string, topic: string): Said => ({
      event: 'Consent Granted',
      user,
      properties: { topic, basis: 'double' },
    });
    for (const user of ['seen', 'unseen', 'machine']) {
      await shop.send({ event: 'identify', user, email: `${user}@customers.example` });
      await shop.send(...(user === 'unseen' ? [] : [consents(user, 'tracking')]), consents(user, 'offers'));
      const mail = await lastMail(shop, `${user}@customers.example`);
      shop.sleepThrough('1m');
      const told = shop.laptop.react(mail.id, {
        kind: 'open',
        marks: { isBotEvent: user === 'machine' ? 'Likely' : 'Unlikely' },
      });
      // SES is not even asked to put a picture into a mail whose opens nobody may know.
      expect({ user, told }).toEqual({ user, told: user !== 'unseen' });
      // Should SES tell all the same, it is not noted.
      if (!told) await shop.feedback(mail, 'Open', { open: { timestamp: new Date(shop.now()).toISOString() } });
      await shop.idle();
      const [message] = await shop.messages({ user, campaign: 'welcome' });
      expect({ user, opened: message?.openedAt !== undefined }).toEqual({ user, opened: user === 'seen' });
    }
  });
});

describe('a click', () => {
  it('of a machine does not make a run go on; one of the person does', async () => {
    const shop = story();
    const email = await shop.customer('rita', { timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    await shop.send({ event: 'Sale Started', user: 'rita' });
    const sale = () => shop.mails(email, 'sale');
    expect(await sale()).toHaveLength(1);
    const [mail] = await sale();
    await shop.forward('2d');
    const click: Happening = { kind: 'click', link: 'https://shop.aurora-camera.example/' };
    shop.laptop.react(mail!.id, { ...click, marks: { isBotEvent: 'Likely' } });
    await shop.idle();
    await shop.forward('1d');
    expect(await sale()).toHaveLength(1);
    expect((await shop.contact('rita')).facts.latest['Email Clicked']).toBeUndefined();

    shop.laptop.react(mail!.id, { ...click, marks: { isBotEvent: 'Unlikely' } });
    await shop.idle();
    expect(await sale()).toHaveLength(2);
  });
});

describe('a mailbox that stays full', () => {
  it('is given up after five mails over a month; another address is not', async () => {
    const shop = story();
    const email = 'fred@customers.example';
    const rule = shop.laptop.recipients({
      to: email,
      does: { kind: 'bounce', type: 'Transient', subType: 'MailboxFull' },
    });
    for (let mail = 1; mail <= 5; mail++) {
      expect(await suppressionOf(shop, email)).toBeUndefined();
      await shop.send(asks('fred', email));
      expect(await shop.mails(email)).toHaveLength(mail);
      if (mail < 5) await shop.forward('8d');
    }
    expect(await suppressionOf(shop, email)).toMatchObject({ reason: 'unreachable' });
    expect((await shop.contact('fred')).facts.suppressed).toMatchObject({ reason: 'unreachable' });
    await shop.forward('8d');
    await shop.send(asks('fred', email));
    expect(await shop.mails(email)).toHaveLength(5);

    await shop.send({ event: 'identify', user: 'fred', email: 'fred@new.example' });
    await shop.forward('8d');
    await shop.send(asks('fred', 'fred@new.example'));
    expect(await shop.mails('fred@new.example')).toHaveLength(1);
    rule.stop();
  });

  it('that took one of them after all is written to again', async () => {
    const shop = story();
    const email = 'gina@customers.example';
    const rule = shop.laptop.recipients({ to: email, does: { kind: 'bounce', type: 'Transient', subType: 'General' } });
    for (let mail = 1; mail <= 5; mail++) {
      await shop.send(asks('gina', email));
      if (mail < 5) await shop.forward('8d');
    }
    rule.stop();
    expect(await suppressionOf(shop, email)).toMatchObject({ reason: 'unreachable' });
    shop.laptop.react((await lastMail(shop, email)).id, { kind: 'deliver' });
    await shop.idle();
    expect(await suppressionOf(shop, email)).toBeUndefined();
    await shop.forward('8d');
    await shop.send(asks('gina', email));
    expect(await shop.mails(email)).toHaveLength(6);
  });
});

describe('who leaves by the link of a mail', () => {
  it('is noted on it once, and counted for its campaign and provider', async () => {
    const shop = story();
    const email = 'lea@gmail.com';
    await shop.send({ event: 'identify', user: 'lea', email });
    await shop.send({ event: 'Consent Granted', user: 'lea', properties: { topic: 'offers', basis: 'double' } });
    const link = linkIn(await lastMail(shop, email), 'u');
    await shop.visit(link, 'POST', 'List-Unsubscribe=One-Click');
    const first = (await shop.messages({ user: 'lea' }))[0]?.unsubscribedAt;
    expect(first).toEqual(expect.any(Number));
    shop.sleepThrough('5m');
    await shop.visit(link, 'POST', 'List-Unsubscribe=One-Click');
    expect((await shop.messages({ user: 'lea' }))[0]?.unsubscribedAt).toBe(first);
    // The lake's window is over, and the reports are written.
    await shop.laptop.idle();
    const reports = (await shop.table.under(
      'REPORT#welcome',
      new Date(shop.now()).toISOString().slice(0, 10),
    )) as Record<string, unknown>[];
    const sum = (name: string) => reports.reduce((total, item) => total + Number(item[name] ?? 0), 0);
    expect([sum('unsubscribed'), sum('gmail.unsubscribed'), sum('gmail.delivered')]).toEqual([1, 1, 1]);
    expect(await shop.deadLetters()).toEqual([]);
  });
});
