// Coupons from the file to the order: imported, repeated in the reminder, waited for, running low, redeemed.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawCode, drawPools, dropCodes, importCoupons, listPools, sayImport, showCode } from '../../cli/coupons.ts';
import { holdStage, type Stage } from '../../cli/stage.ts';
import { findings, readStatus } from '../../cli/status.ts';
import { drawStatus } from '../../cli/status-screen.ts';
import type { Message } from '../../domain/message.ts';
import { key } from '../../functions/aws/table.ts';
import { aStory, type Folder, order, type Story } from '../support/laptop.ts';

const LOW = 3;
/** An e-mail of the small shop that shows its coupon. */
function withCoupon(folder: Folder, name: string): void {
  cpSync(join(folder.path, 'emails/win-back'), join(folder.path, 'emails', name), { recursive: true });
  const layout = join(folder.path, 'emails', name, 'layout.mjml');
  const shown =
    '<mj-text>Code {{ coupon.code }} gives {{ coupon.worth }} off{% if coupon.expires %} until {{ coupon.expires | day }}{% endif %}.</mj-text>';
  const text = readFileSync(layout, 'utf8').replace('<mj-button', `${shown}\n<mj-button`);
  expect(text).toContain('coupon.code');
  writeFileSync(layout, text);
}

const story = aStory({
  change: (folder) => {
    for (const name of ['basket-1', 'basket-2']) withCoupon(folder, name);
    folder.edit('settings.json', (settings) => {
      settings.caps = [];
    });
    folder.write('coupons.json', {
      $schema: './schemas/coupons.json',
      pools: { BASKET10: { percent: 10, lowWater: LOW }, SPARE: { amount: 5 } },
    });
    folder.write('campaigns/basket.json', {
      $schema: '../schemas/campaign.json',
      kind: 'marketing',
      aim: 'retention',
      topic: 'offers',
      sender: 'main',
      when: { did: 'Checkout Started' },
      stopIf: { did: 'Order Completed', since: 'run start' },
      again: 'every time',
      expires: '2d',
      steps: [{ send: 'basket-1', coupon: 'BASKET10' }, { wait: '3d' }, { send: 'basket-2', coupon: 'BASKET10' }],
      success: { did: 'Order Completed', within: '7d', value: 'revenue' },
    });
  },
});

let files: string;
beforeAll(() => {
  files = mkdtempSync(join(tmpdir(), 'kairos-coupons-'));
});
afterAll(() => rmSync(files, { recursive: true, force: true }));

const warnings: string[] = [];
function held(shop: Story): Stage {
  const { outputs, env } = shop.laptop;
  const stage = holdStage({ stage: 'laptop', outputs, env }, () => shop.now());
  return { ...stage, who: async () => 'ops', say: () => {}, warn: (line) => warnings.push(line) };
}
/** Writes a file of codes and imports it. */
async function imports(lines: string[], pool = 'BASKET10', dryRun = false) {
  const file = join(files, `codes-${lines.length}.csv`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return importCoupons(file, pool, held(story()), { dryRun });
}
const leaves = (user: string, product = 'cam-orion-5') => ({
  event: 'Checkout Started',
  user,
  properties: { products: [{ product_id: product, price: 100, quantity: 1 }] },
});
const codeOf = (message: Message | undefined): string | undefined => message?.inputs.coupon?.code;
const status = async () => {
  const read = await readStatus(held(story()));
  const found = findings(read);
  return { read, found, screen: drawStatus(read, found, { colours: false }).join('\n') };
};

describe('a file of codes', () => {
  it('is tried first, then imported, and the same file again adds nothing; each line that is wrong is named', async () => {
    const lines = [
      'Coupon Code,Value,Currency,Valid until',
      'BASKET-0001,10%,,2026-12-31',
      'BASKET-0002,10%,,2026-12-31',
      '=cmd|A0,10%,,2026-12-31',
      'basket-0001,10%,,2026-12-31',
      'BASKET-0003,15%,,2026-12-31',
      'BASKET-0004,10%,,31.12.2026',
      'BASKET-0005,10%,,2026-03-03',
    ];
    const tried = await imports(lines, 'BASKET10', true);
    expect(sayImport(tried, { dryRun: true }).map((line) => line.trim())).toEqual([
      '7  rows read',
      '2  codes would be imported',
      '1  codes left out: they end within three days, or have ended',
    ]);
    expect(tried.faults.first).toEqual([
      {
        line: 4,
        message:
          'code: "=cmd|A0" begins with "=": spreadsheets run it as a formula. Give codes that begin with a letter or a digit.',
      },
      { line: 5, message: 'code: is the same as in line 2. Each code is given once: take one of them out.' },
      {
        line: 6,
        message:
          'value: 15% is more than BASKET10 gives. Import it to a pool of its own, or change coupons.json and publish.',
      },
      { line: 7, message: 'expiry: "31.12.2026" is not a date. Write the year first, such as 2026-12-31.' },
    ]);
    expect((await listPools(held(story()), 'BASKET10'))[0]).toMatchObject({ free: 0, given: 0 });

    expect(await imports(lines)).toMatchObject({ imported: 2, known: 0, late: 1 });
    expect(await imports(lines)).toMatchObject({ imported: 0, known: 2, differing: 0, late: 1 });
    expect((await listPools(held(story()), 'BASKET10'))[0]).toMatchObject({
      free: 2,
      soonest: Date.parse('2026-12-31T23:00:00Z'),
      worth: '10%',
      published: true,
    });
  });

  it('of a pool that nobody has published is imported with a warning, and its codes are of no other pool', async () => {
    warnings.length = 0;
    const told = await imports(['code,value', 'BASKET-0001,10%', 'SUMMER-0001,5.00'], 'BASKET01');
    expect(warnings).toEqual([
      'The published coupons.json has no pool BASKET01: no campaign can draw from it. Did you mean "BASKET10"?',
      'Publish it there, or take the codes out again: npx kairos coupons drop BASKET01',
    ]);
    expect(told).toMatchObject({
      imported: 1,
      faults: {
        first: [{ line: 2, message: 'code: is one of pool BASKET10 already. Take it out of one of the two files.' }],
      },
    });
    expect(drawPools(await listPools(held(story())))).toEqual([
      'pool      worth          free  given  redeemed  expired  soonest expiry',
      'BASKET01  not published     1      0         0        0  never',
      'BASKET10  10%               2      0         0        0  2026-12-31 23:00 UTC',
      'SPARE     €5.00             0      0         0        0',
    ]);
    const stage = held(story());
    expect(await dropCodes(stage, 'BASKET01')).toBe(1);
    expect(await imports(['code,value', 'SUMMER-0001,5.00'], 'SPARE')).toMatchObject({ imported: 1 });
    expect(await dropCodes(stage, 'SPARE')).toBe(1);
    expect(await listPools(stage)).toMatchObject([{ free: 0 }, { free: 2 }, { free: 0 }]);
    await expect(
      imports(
        Array.from({ length: 102 }, (_, n) => (n === 0 ? 'code' : `SPARE-${n}0`)),
        'SPARE',
      ),
    ).resolves.toMatchObject({ imported: 101 });
    await expect(dropCodes(stage, 'SPARE')).rejects.toThrow('take 101 codes out of SPARE');
    expect(await dropCodes(stage, 'SPARE', true)).toBe(101);
    expect(await stage.table.readOne(key.code('SPARE-10'))).toBeUndefined();
  });

  it.each([
    [
      ['number;value', 'A1B2;5'],
      'the file has no column with codes. Its columns seem to be divided by ";": give --delimiter ";".',
    ],
    [['codes,value', 'A1B2,5'], 'the file has no column with codes. Name "codes" "code".'],
    [[''], 'the file has no first line with names.'],
  ])('without the columns that it needs is refused: %s', async (lines, says) => {
    await expect(imports(lines)).rejects.toThrow(says);
  });

  it('goes to a pool whose name can be one', async () => {
    await expect(imports(['code', 'A1B2'], 'basket 10')).rejects.toThrow(
      'basket 10: A pool is named in capitals, digits, "_" and "-". Call it BASKET-10.',
    );
    await expect(imports(['code', 'A1B2C3'], 'OTHER')).rejects.toThrow(
      'the file has no column with values. Name one "value" (5.00 or 10%), or publish what OTHER is worth in coupons.json.',
    );
    await expect(listPools(held(story()), 'BASKET100')).rejects.toThrow(
      'BASKET100: There is no pool of this name. Did you mean "BASKET10"?',
    );
  });
});

describe('two reminders', () => {
  it('carry the same code, which the e-mails show with its worth and its last day', async () => {
    const shop = story();
    const email = await shop.customer('ann');
    await shop.send(leaves('ann'));
    const [first] = await shop.messages({ user: 'ann', campaign: 'basket' });
    expect(first).toMatchObject({ state: 'sent', coupon: 'BASKET10', inputs: { coupon: { percent: 10 } } });
    await shop.forward('4d');
    const messages = await shop.messages({ user: 'ann', campaign: 'basket' });
    expect(messages.map(({ state }) => state)).toEqual(['sent', 'sent']);
    expect(codeOf(messages[1])).toBe(codeOf(first));
    const mails = await shop.mails(email, 'basket');
    expect(mails).toHaveLength(2);
    for (const { text } of mails) expect(text).toContain(`Code ${codeOf(first)} gives 10`);
  });

  it('of which nothing is left wait, come with the next import, and are late for nobody whose time is past', async () => {
    const shop = story();
    for (const user of ['bea', 'cem', 'dora']) await shop.customer(user);
    await shop.send(leaves('bea'));
    await shop.send(leaves('cem'));
    await shop.send(leaves('dora'));
    const waiting = (await shop.messages({ campaign: 'basket', state: 'ready' })).filter(({ coupon }) => coupon);
    expect(waiting).toHaveLength(2);
    for (const message of waiting) expect(codeOf(message)).toBeUndefined();

    const { read, found, screen } = await status();
    expect(read.coupons).toEqual([{ pool: 'BASKET10', left: 0, lowWater: LOW }]);
    expect(found.filter(({ about }) => about === 'coupons')).toMatchObject([
      { says: 'BASKET10 is empty: its messages wait.', heading: 'Coupon pool is running low' },
    ]);
    expect(screen).toContain('BASKET10  empty, low below 3');
    expect(screen).toContain('npx kairos coupons import BASKET10 FILE');

    await imports([
      'code,expiry',
      'NEXT-0001,2027-01-31',
      'NEXT-0002,2027-01-31',
      'NEXT-0003,2027-01-31',
      'NEXT-0004,',
    ]);
    await shop.forward('20m');
    const sent = await shop.messages({ campaign: 'basket', state: 'sent' });
    const codes = ['bea', 'cem', 'dora'].map(async (user) =>
      codeOf((await shop.messages({ user, campaign: 'basket' }))[0]),
    );
    expect(sent).toHaveLength(2 + 3);
    expect(new Set(await Promise.all(codes)).size).toBe(3);
  });
});

describe('the level of a pool', () => {
  it('is said each minute by the guard once it is low, and by status until codes come', async () => {
    const shop = story();
    const heard = shop.listen();
    await shop.timers();
    const lines = heard().join('\n');
    expect(lines).toMatch(/"message":"coupon.low".*"pool":"BASKET10","left":2/);
    expect((await status()).screen).toContain('BASKET10  2 codes, low below 3');
    await imports(['code', 'NEXT-0005']);
    expect((await status()).screen).toContain('BASKET10  at least 3 codes');
    expect((await status()).found.filter(({ about }) => about === 'coupons')).toEqual([]);
  });
});

describe('an order', () => {
  it('that is paid with a code redeems it, in whatever case it is written, once; also for another person', async () => {
    const shop = story();
    const bea = codeOf((await shop.messages({ user: 'bea', campaign: 'basket' }))[0]) ?? '';
    const cem = codeOf((await shop.messages({ user: 'cem', campaign: 'basket' }))[0]) ?? '';
    await shop.customer('friend');
    await shop.send(
      {
        event: 'Order Completed',
        user: 'bea',
        properties: { ...order('o1', ['cam-orion-5', 100]), coupon: bea.toLowerCase() },
      },
      { event: 'Order Completed', user: 'friend', properties: { ...order('o2', ['cam-orion-5', 100]), coupon: cem } },
      {
        event: 'Order Completed',
        user: 'friend',
        properties: { ...order('o3', ['cam-orion-5', 100]), coupon: 'FREE-LUNCH' },
      },
    );
    await shop.send({
      event: 'Order Completed',
      user: 'dora',
      properties: { ...order('o4', ['cam-orion-5', 100]), coupon: bea },
    });
    const stage = held(shop);
    const [bought, friend] = [await shop.contact('bea'), await shop.contact('friend')];
    expect(await showCode(stage, ` ${bea.toLowerCase()}`)).toMatchObject({
      code: bea,
      pool: 'BASKET10',
      state: 'redeemed',
      campaign: 'basket',
      contact: bought.id,
      order: 'shop#o1',
      buyer: bought.id,
      own: true,
    });
    const lines = drawCode(await showCode(stage, cem), shop.now());
    expect(lines[0]).toBe(cem);
    expect(lines).toContain(`  by        ${friend.id}, another contact than it was given to`);
    expect(lines.join('\n')).toContain('in order shop#o2');
    await expect(showCode(stage, 'FREE-LUNCH')).rejects.toThrow('FREE-LUNCH: There is no such code.');
    expect((await listPools(stage, 'BASKET10'))[0]).toMatchObject({ free: 3, given: 2, redeemed: 2 });
    expect(await shop.deadLetters()).toEqual([]);
  });
});
