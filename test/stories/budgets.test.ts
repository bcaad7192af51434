// Budgets on the laptop: a campaign that draws complaints, or makes too many messages, pauses itself within minutes.
import { beforeEach, describe, expect, it } from 'vitest';
import { resumeCampaign } from '../../cli/control.ts';
import { holdStage, readBook, type Stage } from '../../cli/stage.ts';
import { budgetStates } from '../../functions/aws/budgets.ts';
import { lastActions } from '../../functions/aws/controls.ts';
import { key } from '../../functions/aws/table.ts';
import type { Simulated } from '../../local/laptop.ts';
import { aStory, type Said, type Story } from '../support/laptop.ts';

const CONFIRMS = 'confirm-subscription';
const story = aStory({
  change: (folder) => {
    folder.edit('fields.json', (fields) => {
      Object.assign(fields.events as object, { Greeted: { note: 'text' } });
    });
    folder.write('campaigns/greeting.json', {
      kind: 'service',
      aim: 'service',
      sender: 'main',
      again: 'every time',
      when: { did: 'Greeted' },
      plannedPerDay: 5,
      steps: [{ send: CONFIRMS }],
    });
  },
});
beforeEach(() => story().next());

/** The stage as the CLI holds it. */
function stageOf(shop: Story): Stage {
  const { outputs, env } = shop.laptop;
  const stage = holdStage({ stage: 'laptop', outputs, env }, () => shop.now());
  return { ...stage, who: async () => 'ops', say: () => {}, warn: () => {} };
}
/** Somebody new: one mail at once. */
const asks = (user: string, domain: string, event = 'Consent Requested'): Said => ({
  event,
  user,
  email: `${user}@${domain}`,
  properties: { topic: 'news' },
});
const people = (name: string, many: number): string[] => Array.from({ length: many }, (_, at) => `${name}-${at}`);
/** Minute by minute; the lake's windows end as they do by themselves. */
async function minutes(shop: Story, many: number): Promise<void> {
  for (let minute = 0; minute < many; minute++) {
    await shop.laptop.idle();
    shop.sleepThrough('1m');
    await shop.timers();
  }
}
const paused = async (shop: Story) => (await shop.controls()).paused;
const mailsTo = async (shop: Story, users: string[]) =>
  (await shop.mails()).filter((mail) => users.some((user) => mail.to[0]?.startsWith(`${user}@`)));

describe('a campaign whose mails draw complaints at one provider', () => {
  it('is paused within minutes and says so; what waits stays waiting; resumed, it goes on and is not paused for the same', async () => {
    const shop = story();
    const heard = shop.listen();
    const angry = shop.laptop.recipients({ to: '@yahoo.com', does: { kind: 'complain' }, every: 4 });
    const elsewhere = people('calm', 20);
    const first = people('first', 24);
    await shop.send(...elsewhere.map((user) => asks(user, 'gmx.de')), ...first.map((user) => asks(user, 'yahoo.com')));
    await minutes(shop, 4);
    const control = (await paused(shop))[CONFIRMS];
    expect(control).toMatchObject({ by: 'guard-sending' });
    expect(control?.why).toMatch(/^complaints at yahoo: \d of \d+ in 1 day, at least .* %; limit 0\.1 %$/);
    expect(control!.at).toBeLessThanOrEqual(shop.now());
    const lines = heard().filter((line) => line.includes('campaign.paused'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/yahoo\.com|first-/);
    expect(await lastActions(shop.table, 3)).toMatchObject([{ what: 'pause', to: CONFIRMS, by: 'guard-sending' }]);
    // The bus has taken its event, and nobody's history holds it.
    expect(await shop.table.readOne(key.budgetBase(CONFIRMS))).toMatchObject({ told: control!.at });
    expect(await shop.items('INTERACTION#Campaign Paused')).toEqual([]);
    expect(await shop.deadLetters()).toEqual([]);

    const later = people('later', 6);
    await shop.send(...later.map((user) => asks(user, 'yahoo.com')));
    await minutes(shop, 20);
    expect(await mailsTo(shop, later)).toEqual([]);
    for (const user of later) expect(await shop.messages({ user })).toMatchObject([{ state: 'ready' }]);

    angry.stop();
    const stage = stageOf(shop);
    const done = await resumeCampaign(stage, CONFIRMS, 'the text is mended');
    expect(done).toMatchObject({ changed: true, was: { by: 'guard-sending' } });
    await minutes(shop, 12);
    expect((await mailsTo(shop, [...first, ...later])).length).toBe(30);
    expect(await paused(shop)).toEqual({});
    const states = await budgetStates(shop.table, (await readBook(stage)).definitions, shop.now());
    const stand = states.find(({ campaign }) => campaign === CONFIRMS);
    expect(stand?.paused).toBeUndefined();
    expect(stand?.standings.find(({ provider, what }) => provider === 'yahoo' && what === 'complaints')).toMatchObject({
      cases: 0,
      messages: 30,
      verdict: 'fine',
    });
  });
});

describe('a campaign that makes more than three times its plan in a day', () => {
  it('is paused; the others go on', async () => {
    const shop = story();
    await shop.send(...people('greeted', 15).map((user) => asks(user, 'customers.example', 'Greeted')));
    await minutes(shop, 4);
    expect((await paused(shop)).greeting).toBeUndefined();
    // Nobody can send, as when SES throttles: so what is made waits.
    const held: Simulated = shop.laptop.simulate({ at: 'SendEmail', kind: 'throttle' });
    await shop.send(...people('more', 4).map((user) => asks(user, 'customers.example', 'Greeted')));
    await minutes(shop, 4);
    held.stop();
    expect((await paused(shop)).greeting).toMatchObject({ by: 'guard-sending' });
    expect((await paused(shop)).greeting?.why).toMatch(
      /^volume: 19 messages made for .* \(UTC\), 3 times the plan is 15$/,
    );
    await minutes(shop, 10);
    expect(await mailsTo(shop, people('more', 4))).toEqual([]);
    await shop.send(asks('other', 'customers.example'));
    expect(await mailsTo(shop, ['other'])).toHaveLength(1);

    await resumeCampaign(stageOf(shop), 'greeting', 'a real rush');
    await minutes(shop, 10);
    expect(await mailsTo(shop, people('more', 4))).toHaveLength(4);
    expect((await paused(shop)).greeting).toBeUndefined();
  });
});
