// The commands as an operator gives them: a process of its own against a running laptop, its words and its exit code.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { personName, personNameAnyway } from '../../cli/person-name.ts';
import { lastActions } from '../../functions/aws/controls.ts';
import { aStory, type Said } from '../support/laptop.ts';

// Each command is a process that loads everything anew.
vi.setConfig({ testTimeout: 180_000 });

const ROOT = resolve(import.meta.dirname, '../..');
const story = aStory();
let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kairos-cli-'));
  file = join(folder, 'laptop.json');
  const { outputs, env } = story().laptop;
  writeFileSync(file, JSON.stringify({ outputs, env }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Runs `kairos` with these words. */
function kairos(...words: string[]): Promise<Ran> {
  return new Promise((done) => {
    const env = { ...process.env, KAIROS_LAPTOP: file, NO_COLOR: '1' };
    execFile(process.execPath, [join(ROOT, 'cli/kairos.ts'), ...words], { env, cwd: ROOT }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

const asks = (user: string): Said => ({
  event: 'Consent Requested',
  user,
  email: `${user}@customers.example`,
  properties: { topic: 'offers' },
});

describe('a campaign', () => {
  it('that nobody knows is refused with the nearest name', async () => {
    const { code, err } = await kairos('pause', 'win-bak', '--why', 'x');
    expect(code).toBe(1);
    expect(err.trim()).toBe('win-bak: There is no campaign of this name. Did you mean "win-back"?');
  });

  it('is not paused without a reason', async () => {
    expect(await kairos('pause', 'win-back')).toMatchObject({ code: 1, err: expect.stringContaining('--why') });
    expect(await kairos('pause', 'win-back', '--why', ' ')).toMatchObject({
      code: 1,
      err: expect.stringContaining('A reason is asked for'),
    });
  });

  it('is paused by the user of this machine at the laptop’s time, said again who did it, and resumed', async () => {
    const shop = story();
    const paused = await kairos('pause', 'win-back', '--why', 'wrong price', '--json');
    expect(paused.code).toBe(0);
    const { username } = userInfo();
    const said = JSON.parse(paused.out) as { paused: { by: string; at: number } };
    expect(said).toMatchObject({ changed: true, paused: { by: username, why: 'wrong price' } });
    expect(Math.abs(said.paused.at - shop.now())).toBeLessThan(60_000);
    const again = await kairos('pause', 'win-back', '--why', 'me too');
    expect(again).toMatchObject({
      code: 0,
      out: expect.stringContaining(`win-back was paused already by ${username}`),
    });
    const { code, out } = await kairos('resume', 'win-back');
    expect(code).toBe(0);
    expect(out).toContain('win-back goes on.');
    expect(out).toContain('Nothing of it was waiting.');
    expect(await kairos('resume', 'win-back')).toMatchObject({ code: 0, out: 'win-back was not paused.\n' });
    expect((await lastActions(shop.table, 2)).map(({ what, by }) => [what, by])).toEqual([
      ['resume', username],
      ['pause', username],
    ]);
  });
});

describe('status', () => {
  it('ends with 0 when all is well, and with 1 and the command to give when sending is stopped', async () => {
    const shop = story();
    await shop.timers();
    const well = await kairos('status', '--live');
    expect(`${well.err}${well.out}`).toContain(`Kairos laptop, ${new Date(shop.now()).toISOString().slice(0, 10)}`);
    expect(well.code).toBe(0);
    const stopped = await kairos('stop', '--why', 'wrong price');
    expect(stopped.code).toBe(0);
    const ill = await kairos('status');
    expect(ill.code).toBe(1);
    expect(ill.out).toContain(`STOPPED by ${userInfo().username}`);
    expect(ill.out).toContain('npx kairos start (runbook: Sending is stopped)');
    const json = await kairos('status', '--json');
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({ well: false, stopped: { why: 'wrong price' } });
    expect((await kairos('start')).code).toBe(0);
    await shop.idle();
  });
});

describe('messages', () => {
  it('that failed are listed with the ids that resend takes, and without the person', async () => {
    const shop = story();
    const trouble = shop.laptop.simulate({
      at: 'SendEmail',
      kind: 'refuse',
      answer: { status: 400, type: 'MessageRejected', message: 'No.' },
    });
    await shop.send(asks('listed'));
    trouble.stop();
    const [message] = await shop.messages({ user: 'listed' });
    const listed = await kairos('messages', '--campaign', 'confirm-subscription');
    expect(listed.out).toContain(`${message!.id}  ${message!.contact}  confirm-subscription`);
    expect(listed.out).not.toContain('customers.example');
    const json = await kairos('messages', '--state', 'failed', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ more: false, messages: [{ id: message!.id, state: 'failed' }] });
    expect(json.out).not.toContain('customers.example');
    expect((await kairos('contact', '--user', 'listed')).out).toContain(message!.id);

    expect(await kairos('resend', message!.id)).toMatchObject({
      code: 1,
      err: expect.stringContaining('A message is found by its id and its contact.'),
    });
    expect(await kairos('resend', '--campaign', 'confirm-subscription')).toMatchObject({
      code: 1,
      err: expect.stringContaining('kairos resend --failed --campaign confirm-subscription'),
    });
    const resent = await kairos('resend', message!.id, '--contact', message!.contact);
    expect(resent).toMatchObject({ code: 0, out: expect.stringContaining('1 message will go out within minutes') });
    expect(await kairos('cancel', message!.id, '--contact', message!.contact, '--json')).toMatchObject({
      code: 0,
      out: expect.stringContaining('"cancelled":1'),
    });
    expect(await kairos('messages', '--state', 'lost')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Known: "ready"'),
    });
    await shop.idle();
  });
});

describe('explain', () => {
  it('says of a person by id, user id or address why they are in a segment, and asks for the name that was meant', async () => {
    const shop = story();
    await shop.send({
      event: 'Order Completed',
      user: 'buyer',
      email: 'buyer@customers.example',
      properties: { order_id: 'e-1', revenue: 20, currency: 'EUR', products: [{ product_id: 'film', price: 20 }] },
    });
    const one = await kairos('explain', '--user', 'buyer', '--segment', 'first-time-buyers');
    expect(one).toMatchObject({ code: 0, err: '' });
    expect(one.out).toMatch(/^Contact \S+\n.* in Europe\/Berlin\.\n\n✓ first-time-buyers .*\n {2}in since /);
    expect(one.out).toContain('ordered exactly once · 1 order, the last');
    const all = await kairos('explain', '--email', 'buyer@customers.example');
    expect(all.out).toMatch(/In \d+ of \d+ segments\./);
    const json = await kairos('explain', '--user', 'buyer', '--segment', 'vip', '--campaign', 'win-back', '--json');
    const said = JSON.parse(json.out) as { contact: string; segments: { id: string }[]; campaigns: { id: string }[] };
    expect(said).toMatchObject({ segments: [{ id: 'vip', holds: false }], campaigns: [{ id: 'win-back' }] });
    // The clock goes on: all but the line that tells it is the same.
    const [, , ...tree] = one.out.split('\n');
    const byId = (await kairos('explain', said.contact, '--segment', 'first-time-buyers')).out;
    expect(byId.split('\n').slice(2)).toEqual(tree);

    expect(await kairos('explain', '--user', 'buyer', '--segment', 'vips')).toMatchObject({
      code: 1,
      err: 'vips: There is no segment of this name. Did you mean "vip"?\n',
    });
    expect(await kairos('explain', '--user', 'nobody')).toMatchObject({
      code: 1,
      err: expect.stringContaining('No contact has this user id.'),
    });
    expect(await kairos('explain')).toMatchObject({ code: 1, err: expect.stringContaining('Name one person.') });
    await shop.idle();
  });
});

describe('dead letters', () => {
  it('are listed and read without personal data unless it is asked for, and sent back', async () => {
    const shop = story();
    expect(await kairos('dead-letters')).toMatchObject({ code: 0, out: 'No dead letters.\n' });
    await shop.put({
      DetailType: 'Order Completed',
      Detail: JSON.stringify({
        type: 'track',
        event: 'Order Completed',
        context: { traits: { firstName: 'Zacharias' } },
      }),
    });
    const list = await kairos('dead-letters');
    expect(list.code).toBe(0);
    expect(list.out).toContain('record: 1 letter');
    expect(list.out).not.toContain('Zacharias');
    expect((await kairos('dead-letters', 'list', '--show')).out).toContain('Zacharias');
    const read = await kairos('dead-letters', 'read', 'record', '--json');
    const [letter] = JSON.parse(read.out) as { reason: string; stage: string }[];
    expect(letter).toMatchObject({ queue: 'record', stage: 'record-interaction' });
    expect(read.out).not.toContain('Zacharias');
    expect(await kairos('dead-letters', 'redrive', 'recrd')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Did you mean "record"?'),
    });
    expect(await kairos('dead-letters', 'redrive', 'record', '--reason', `${letter!.reason}s`)).toMatchObject({
      code: 1,
      err: expect.stringContaining(letter!.reason),
    });
    const redriven = await kairos('dead-letters', 'redrive', 'record');
    expect(redriven.code).toBe(0);
    expect(redriven.out).toContain('1 letter sent back to record');
    expect(redriven.out).toContain('comes back here, unless the cause is mended');
    await shop.idle();
    expect(await kairos('dead-letters', 'drop', 'record', '--reason', letter!.reason, '--yes')).toMatchObject({
      code: 0,
      out: '1 letter of record deleted.\n',
    });
  });
});

describe('who gives a command', () => {
  it('is the principal that AWS names', async () => {
    const sts = mockClient(STSClient);
    sts.on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:iam::1:user/anna' });
    expect(await personName({ stage: 'prod' })).toBe('arn:aws:iam::1:user/anna');
    sts.restore();
  });

  it('is asked for in vain where AWS refuses: nothing is done, but a stop does not wait for it', async () => {
    const sts = mockClient(STSClient);
    sts.on(GetCallerIdentityCommand).rejects(Object.assign(new Error('no'), { name: 'ExpiredTokenException' }));
    await expect(personName({ stage: 'prod' })).rejects.toThrow(/ExpiredTokenException.*nothing was done/);
    expect(await personNameAnyway(personName({ stage: 'prod' }))).toContain('AWS did not say');
    sts.restore();
  });
});
