// Consent in time: what was ever said, what a reply asks for, and consents that end at the instant they were given for.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { beforeEach, describe, expect, it } from 'vitest';
import { describeConsents } from '../../cli/consents.ts';
import { importSuppressions } from '../../cli/import-suppressions.ts';
import { openImport } from '../../cli/import-target.ts';
import { ledger, type Statement, statementsOf } from '../../cli/ledger.ts';
import { csvCell, exportConsents } from '../../cli/ledger-file.ts';
import { holdStage, readBook } from '../../cli/stage.ts';
import { type Request, withdraw } from '../../cli/withdraw.ts';
import { lastActions } from '../../functions/aws/controls.ts';
import { key } from '../../functions/aws/table.ts';
import { aStory, DAY, HOUR, hashOf, linkIn, MINUTE, order, type Said, type Story } from '../support/laptop.ts';

const story = aStory({
  change(folder) {
    mkdirSync(join(folder.path, 'segments'), { recursive: true });
    folder.write('segments/consenting.json', { rule: { consent: 'offers' } });
  },
});
beforeEach(() => story().next());

const inside = async (user: string, segment = 'consenting'): Promise<boolean> =>
  (await story().contact(user)).journey.segments[segment]?.since !== undefined;
const grant = (user: string, until: number, more: Said['properties'] = {}): Said => ({
  event: 'Consent Granted',
  user,
  properties: { topic: 'offers', basis: 'soft', until: new Date(until).toISOString(), ...more },
});
const identify = (user: string): Said => ({ event: 'identify', user, email: `${user}@customers.example` });
const bought = (user: string, id = `${user}-1`): Said => ({
  event: 'Order Completed',
  user,
  properties: order(id, ['halden-one', 649]),
});
const stageOf = (shop: Story) =>
  Object.assign(
    holdStage({ stage: 'laptop', outputs: shop.laptop.outputs, env: shop.laptop.env }, () => shop.now()),
    { who: async () => 'ada' },
  );
/** Where the clock of timers stands: at full minutes. */
const fullMinute = (at: number): number => Math.ceil(at / MINUTE) * MINUTE;

describe('a consent with an end', () => {
  it('puts a person into a segment, and out of it at exactly that instant, by time alone', async () => {
    const shop = story();
    const until = fullMinute(shop.now() + 3 * DAY);
    await shop.send(identify('ella'), grant('ella', until));
    expect(await inside('ella')).toBe(true);
    expect((await shop.contact('ella')).journey.due).toBeLessThanOrEqual(until);
    await shop.until(until - 1000);
    expect(await inside('ella')).toBe(true);
    expect((await shop.contact('ella')).journey.due).toBe(until);
    await shop.until(until);
    expect(await inside('ella')).toBe(false);
    expect((await shop.contact('ella')).facts.consents['aurora|offers|email']).toMatchObject({ granted: true, until });
  });

  it('that is renewed before its end goes on to the later end', async () => {
    const shop = story();
    const first = fullMinute(shop.now() + 2 * DAY);
    await shop.send(identify('renata'), grant('renata', first));
    await shop.forward('1d');
    await shop.send(grant('renata', first + 2 * DAY));
    await shop.until(first + HOUR);
    expect(await inside('renata')).toBe(true);
    await shop.until(first + 2 * DAY);
    expect(await inside('renata')).toBe(false);
  });

  it('that ends between decision and send sends nothing: the mail was planned before, and was due after', async () => {
    const shop = story();
    await shop.send(identify('nils'), {
      event: 'Consent Granted',
      user: 'nils',
      properties: { topic: 'offers', until: new Date(shop.now() + 60 * DAY).toISOString() },
    });
    await shop.forward('2d');
    await shop.next('22:00');
    const night = shop.now();
    await shop.send(bought('nils'));
    await shop.until(night + 6 * DAY);
    // Planned on the seventh day at 22:00 for 08:00; the consent ends at 07:59.
    const end = fullMinute(night + 7 * DAY + 9 * HOUR + 59 * MINUTE);
    await shop.send(grant('nils', end));
    await shop.until(night + 7 * DAY + HOUR);
    const [planned] = await shop.messages({ user: 'nils', campaign: 'cross-sell' });
    expect(planned).toMatchObject({ state: 'ready' });
    expect(planned!.plannedAt).toBeGreaterThan(end);
    await shop.until(night + 8 * DAY);
    expect(await shop.messages({ user: 'nils', campaign: 'cross-sell' })).toMatchObject([
      { state: 'dropped', reason: 'no consent' },
    ]);
    expect(await shop.mails('nils@customers.example', 'cross-sell')).toEqual([]);
    expect((await shop.contact('nils')).journey.sends).toEqual([]);
  });

  it('that ends while a run waits ends what the run would have sent, and not the run of somebody whose does not', async () => {
    const shop = story();
    const end = shop.now() + 6 * DAY;
    for (const user of ['wilma', 'otto'])
      await shop.send(identify(user), grant(user, user === 'wilma' ? end : end + 9 * DAY));
    await shop.forward('2d');
    await shop.send(bought('wilma'), bought('otto'));
    await shop.forward('9d');
    expect((await shop.contact('wilma')).journey.decisions['cross-sell']).toMatchObject({
      kind: 'skip',
      reason: 'no consent',
    });
    expect(await shop.mails('wilma@customers.example', 'cross-sell')).toEqual([]);
    expect(await shop.mails('otto@customers.example', 'cross-sell')).toHaveLength(1);
  });
});

describe('the ledger', () => {
  it('holds what was said under every name of a person, in the order of time, with what was imported', async () => {
    const shop = story();
    const email = 'lea@customers.example';
    const began = shop.now();
    // First known by a device and an address, then as a user: the statements stand under three names.
    await shop.send({
      event: 'Consent Requested',
      anonymous: 'lea-phone',
      email,
      properties: { topic: 'offers', form: 'footer' },
    });
    await shop.send({
      event: 'Consent Granted',
      email,
      properties: {
        topic: 'offers',
        basis: 'double',
        wording: 'v2, "short"',
        form: '=HYPERLINK("x")',
        source: 'footer of lea@customers.example',
      },
    });
    await shop.forward('1m');
    await shop.send({ event: 'identify', user: 'lea', email });
    await shop.send(grant('lea', began + 400 * DAY, { topic: 'news', basis: 'soft', source: 'checkout' }));
    await shop.forward('2d');
    const url = linkIn((await shop.mails(email)).find(({ subject }) => subject.includes('Welcome'))!, 'u');
    await shop.visit(url, 'POST', 'List-Unsubscribe=One-Click');
    await shop.forward('1m');
    await shop.send({
      event: 'Pause Requested',
      user: 'lea',
      properties: { until: new Date(shop.now() + 30 * DAY).toISOString() },
    });
    await shop.forward('1m');
    await shop.send({ event: 'Profiling Stopped', user: 'lea' });
    const file = join(shop.folder.path, 'suppressions.csv');
    writeFileSync(
      file,
      `email,reason,date\n${email},unsubscribed,2025-05-04T10:00:00Z\n${email},complained,2025-06-01T00:00:00Z\n`,
    );
    const { outputs, env } = shop.laptop;
    await importSuppressions(
      file,
      openImport({ stage: 'laptop', outputs, env }, () => shop.now()),
      { brand: 'aurora' },
    );

    const contact = await shop.contact('lea');
    const said = await statementsOf(shop.table, contact, { defaultBrand: 'aurora' });
    expect(
      said.map(({ statement, topic, basis, source, by }) => [statement, topic, basis, source, by].join(' | ')),
    ).toEqual([
      'withdrawn | * |  | import | kairos',
      'suppressed | * |  | complained | suppression list',
      'requested | offers |  |  | shop',
      'granted | offers | double | footer of [address] | shop',
      'granted | news | soft | checkout | shop',
      'withdrawn | * |  | unsubscribe link | kairos',
      'paused | * |  |  | shop',
      'profiling stopped | * |  |  | shop',
    ]);
    expect(said.map(({ at }) => at)).toEqual(said.map(({ at }) => at).toSorted((a, b) => a - b));
    expect(said[4]).toMatchObject({ until: began + 400 * DAY, brand: 'aurora', channel: 'email', contact: contact.id });
    expect(JSON.stringify(said)).not.toContain('@customers.example');
  });

  it('is a CSV of everybody that a spreadsheet takes for text, without an address unless asked for', async () => {
    const shop = story();
    const stage = stageOf(shop);
    const book = await readBook(stage);
    const file = join(shop.folder.path, 'ledger.csv');
    const told = await exportConsents(shop.table, book, { file }, {});
    const text = readFileSync(file, 'utf8');
    const rows = parse(text, { columns: true, record_delimiter: '\r\n' }) as Record<string, string>[];
    expect(rows).toHaveLength(told.statements);
    expect(Object.keys(rows[0]!)).toEqual(
      'contact brand topic channel statement basis wording form source time until by'.split(' '),
    );
    expect(text).not.toContain('@customers.example');
    expect(rows.find(({ wording }) => wording === 'v2, "short"')).toMatchObject({ form: `'=HYPERLINK("x")` });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const everybody: Statement[] = [];
    for await (const page of ledger(shop.table, { defaultBrand: 'aurora' })) everybody.push(...page);
    expect(everybody).toHaveLength(rows.length);
    // Each contact's lines stand together.
    const turns = rows.filter((row, i) => row.contact !== rows[i - 1]?.contact).map(({ contact }) => contact);
    expect(new Set(turns).size).toBe(turns.length);

    const json = join(shop.folder.path, 'ledger.json');
    const lea = { email: 'lea@customers.example' };
    await exportConsents(shop.table, book, { file: json }, { person: lea, withAddresses: true });
    const parsed = JSON.parse(readFileSync(json, 'utf8')) as Record<string, string>[];
    expect(new Set(parsed.map(({ address }) => address))).toEqual(new Set([lea.email]));
    expect(parsed.find(({ statement }) => statement === 'granted')).toMatchObject({
      source: 'footer of lea@customers.example',
    });
  });

  it.each([
    ['plain', 'plain'],
    ['=1+1', "'=1+1"],
    ['  @SUM(A1)', "'  @SUM(A1)"],
    ['-2', "'-2"],
    ['a;=1+1', `"a;'=1+1"`],
    ['one, "two"', '"one, ""two"""'],
    ['two\r\nlines', '"two\r\nlines"'],
    ['\u0000nul', '" nul"'],
    ['＝1+1', "'＝1+1"],
    ['żółw', 'żółw'],
    ['', ''],
  ])('writes %j as the cell %j', (text, cell) => {
    expect(csvCell(text)).toBe(cell);
  });

  it('refuses an unknown person, an unknown brand, and a file that cannot be written, before it reads anything', async () => {
    const shop = story();
    const book = await readBook(stageOf(shop));
    const file = join(shop.folder.path, 'x.csv');
    const refused = (to: string, which: Parameters<typeof exportConsents>[3]) =>
      exportConsents(shop.table, book, { file: to }, which).then(
        () => 'written',
        (error: { fault?: { code: string } }) => error.fault?.code,
      );
    expect(await refused(file, { person: { email: 'nobody@customers.example' } })).toBe('contact.unknown');
    expect(await refused(file, { brand: 'auror' })).toBe('consents.brand');
    expect(await refused(shop.folder.path, {})).toBe('consents.file');
    expect(await refused(join(shop.folder.path, 'no', 'such', 'x.csv'), {})).toBe('consents.file');
    expect(() => statSync(file)).toThrow();
    expect(() => statSync(`${file}.part`)).toThrow();
  });

  it('shows of one person what holds, and why the rest does not', async () => {
    const shop = story();
    const book = await readBook(stageOf(shop));
    const contact = await shop.contact('lea');
    const said = await statementsOf(shop.table, contact, { defaultBrand: 'aurora' });
    const lines = describeConsents(contact, said, book, shop.now()).join('\n');
    expect(lines).toMatch(/offers by email +Offers +no +everything of aurora was withdrawn/);
    expect(lines).toMatch(/reviews by email +\S+.* no +everything of aurora was withdrawn/);
    expect(lines).toContain('The person paused aurora until');
    expect(lines).toContain('The person stopped profiling by aurora.');
    expect(lines).not.toContain('lea@customers.example');
    const ella = await shop.contact('ella');
    const ended = describeConsents(ella, [], book, shop.now()).join('\n');
    expect(ended).toMatch(/offers by email +Offers +no +it ended /);
    expect(ended).toMatch(/news by email +\S+ +no +none was ever recorded/);
  });
});

describe('a request by reply', () => {
  const ask = async (request: Request): Promise<string> => {
    const stage = stageOf(story());
    return (await withdraw(request, await readBook(stage), stage)).join(' ');
  };
  const refusal = (request: Request): Promise<string> =>
    ask(request).catch((error: { fault?: { code: string } }) => error.fault?.code ?? String(error));

  it('withdraws everything of the brand, says so when it has taken hold, and is written down without the address', async () => {
    const shop = story();
    const email = await shop.customer('rolf', { timezone: 'Europe/Berlin' });
    await shop.forward('2d');
    await shop.next('22:00');
    const night = shop.now();
    await shop.send(bought('rolf'));
    await shop.until(night + 7 * DAY + MINUTE);
    expect(await shop.messages({ user: 'rolf', campaign: 'cross-sell' })).toMatchObject([{ state: 'ready' }]);

    expect(await ask({ address: `Rolf R. <${email.toUpperCase()}>`, why: 'reply of 21 Nov' })).toContain(
      'Withdrawn: all marketing of aurora',
    );
    expect((await shop.contact('rolf')).facts.withdrawn.aurora?.id).toMatch(/^reply-/);
    await shop.forward('1d');
    expect(await shop.mails(email, 'cross-sell')).toEqual([]);
    expect(await shop.messages({ user: 'rolf', campaign: 'cross-sell' })).toMatchObject([{ state: 'dropped' }]);

    const { id } = await shop.contact('rolf');
    const [action] = await lastActions(shop.table, 1);
    expect(action).toMatchObject({
      what: 'withdraw',
      to: id,
      by: 'ada',
      why: expect.stringContaining('reply of 21 Nov'),
    });
    expect(JSON.stringify(action)).not.toContain('@');
    const said = await statementsOf(shop.table, await shop.contact('rolf'), { defaultBrand: 'aurora' });
    expect(said.at(-1)).toMatchObject({ statement: 'withdrawn', topic: '*', source: 'reply', by: 'kairos' });
  });

  it('may be of one topic, a pause, or about profiling alone; then consents stay', async () => {
    const shop = story();
    const email = await shop.customer('tina');
    await shop.send({ event: 'Consent Granted', user: 'tina', properties: { topic: 'news' } });
    expect(await ask({ address: email, topic: 'news' })).toContain('Withdrawn: news of aurora');
    expect((await shop.contact('tina')).facts.consents).toMatchObject({
      'aurora|news|email': { granted: false, source: 'reply' },
      'aurora|offers|email': { granted: true },
    });
    expect(await ask({ address: email, pause: '30d', stopProfiling: true })).toContain('No consent was withdrawn.');
    const { facts } = await shop.contact('tina');
    expect(facts.pauses?.aurora?.until).toBeGreaterThan(shop.now() + 29 * DAY);
    expect(facts.profiling?.aurora).toMatchObject({ stopped: true });
    expect(facts.withdrawn).toEqual({});
    expect(await ask({ address: email, stopProfiling: true, all: true })).toContain('Withdrawn: all marketing');
    expect((await shop.contact('tina')).facts.withdrawn.aurora).toBeDefined();
  });

  it('of an address that is nobody’s covers whoever comes with it later', async () => {
    const shop = story();
    const email = 'later@customers.example';
    expect(await ask({ address: email, topic: 'news' })).toContain(
      'all marketing of aurora is withdrawn, not news alone',
    );
    expect(await shop.table.readOne(key.withdrawal(hashOf(email)))).toMatchObject({ brand: 'aurora' });
    await shop.send(
      { event: 'identify', user: 'later', email },
      { event: 'Consent Granted', user: 'later', at: shop.now() - DAY, properties: { topic: 'offers' } },
    );
    await shop.send(bought('later'));
    await shop.forward('8d');
    expect(await shop.mails(email)).toEqual([]);
    expect((await lastActions(shop.table, 1))[0]).toMatchObject({ what: 'withdraw', by: 'ada' });
    const said = await statementsOf(shop.table, await shop.contact('later'), { defaultBrand: 'aurora' });
    expect(said.map(({ statement, source, by }) => `${statement} ${source} ${by}`)).toEqual([
      'granted  shop',
      'withdrawn reply suppression list',
    ]);
  });

  it('that is not understood does nothing', async () => {
    const email = await story().customer('rita');
    const before = (await lastActions(story().table, 50)).length;
    expect(await refusal({ address: 'rita at home' })).toBe('withdraw.address');
    expect(await refusal({ address: email, topic: 'ofers' })).toBe('withdraw.topic');
    expect(await refusal({ address: email, brand: 'borealis' })).toBe('consents.brand');
    expect(await refusal({ address: email, pause: 'a month' })).toBe('withdraw.pause');
    expect(await refusal({ address: email, pause: '2000d' })).toBe('withdraw.pause');
    expect(await refusal({ address: 'ghost@customers.example', pause: '30d' })).toBe('withdraw.unknown');
    expect((await story().contact('rita')).facts.withdrawn).toEqual({});
    expect(await lastActions(story().table, 50)).toHaveLength(before);
  });

  it('that the bus does not take, or that does not take hold in time, is said to hold not', async () => {
    const shop = story();
    const email = await shop.customer('bea');
    const stage = stageOf(shop);
    const book = await readBook(stage);
    const deaf = { ...stage, bus: { put: async () => 1 } };
    await expect(withdraw({ address: email }, book, deaf)).rejects.toThrow('does not hold');
    const lost = { ...stage, bus: { put: async () => 0 } };
    await expect(withdraw({ address: email }, book, lost, { most: 500, wait: async () => {} })).rejects.toThrow(
      'had not taken hold',
    );
    expect((await shop.contact('bea')).facts.withdrawn).toEqual({});
  });
});

it('no event of the file died', async () => {
  expect(await story().deadLetters()).toEqual([]);
});
