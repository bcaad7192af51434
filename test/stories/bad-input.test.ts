// Bad input: each has its defined answer at the door and from the bus, and stops no other event.
import { readFileSync } from 'node:fs';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { clientConfig } from '../../cli/publish.ts';
import type { JsonObject } from '../../domain/interaction.ts';
import { aStory, order, type Said } from '../support/laptop.ts';

interface Case {
  name: string;
  /** The envelope, or the very text of the body. */
  detail?: JsonObject;
  text?: string;
  detailType?: string;
  /** Bytes of text to add to the properties. */
  pad?: number;
  door: { status: number; code?: string; path?: string };
  /** The reason of the dead letter: of an event on the bus, or of a text that only the queue takes. */
  bus?: string;
  queue?: string;
}

const file = new URL('../cases/bad-input.json', import.meta.url);
const cases = (JSON.parse(readFileSync(file, 'utf8')) as Case[]).map((each) => ({
  ...each,
  body: each.text ?? padded(each.detail ?? {}, each.pad),
}));

function padded(detail: JsonObject, bytes: number | undefined): string {
  const text = JSON.stringify(detail);
  return bytes === undefined ? text : text.replace('"properties":{}', `"properties":{"note":"${'x'.repeat(bytes)}"}`);
}

const story = aStory();
const view = (user: string, id: string): Said => ({
  event: 'Product Viewed',
  user,
  id,
  properties: { product_id: id },
});

describe('at the door', () => {
  it.each(cases.map((each, number) => ({ ...each, number })))('$name: $door.status $door.code', async (each) => {
    const shop = story();
    const { number, body, door } = each;
    const answer = await shop.post(body);
    expect({ status: answer.status, code: answer.body.error?.code }).toEqual({ status: door.status, code: door.code });
    if (door.status === 202) return;
    if (door.path !== undefined) expect(answer.body.error?.path).toBe(door.path);
    expect(String(answer.body.error?.message)).not.toBe('');

    // Beside a good one: the caller is told which it is, and nothing of the request counts until it is mended.
    const good = shop.envelope(view(`door-${number}`, `d-${number}`));
    if (each.text === undefined) {
      const both = await shop.post(`[${JSON.stringify(good)},${body}]`);
      expect({ status: both.status, index: both.body.error?.index }).toEqual({ status: door.status, index: 1 });
      await expect(shop.contact(`door-${number}`)).rejects.toThrow('no contact');
    }
    expect(await shop.post(good)).toEqual({ status: 202, body: { accepted: 1 } });
    expect(await shop.interactions(`door-${number}`)).toHaveLength(1);
  });

  it('refuses who is not a source, and what a source may not say', async () => {
    const shop = story();
    const good = shop.envelope(view('door-s', 's'));
    for (const secret of ['', 'shop.wrong', 'nobody.open-sesame', 'kairos.open-sesame', 'shop', '__proto__.x']) {
      expect(await shop.post(good, { secret })).toMatchObject({
        status: 401,
        body: { error: { code: 'door.secret' } },
      });
    }
    const browser = { secret: 'browser.open-sesame' };
    const refused: [Said, string][] = [
      [
        { event: 'Order Completed', user: 'door-s', properties: order('x', ['care-kit', 26]) },
        'source.event-not-allowed',
      ],
      [{ event: 'identify', user: 'door-s' }, 'source.identify-not-allowed'],
      [{ event: 'Consent Granted', user: 'door-s', properties: { topic: 'offers' } }, 'source.consent-not-allowed'],
      [{ event: 'Product Viewed', email: 'ann@customers.example' }, 'event.nobody'],
    ];
    for (const [said, code] of refused) {
      const answer = await shop.post(shop.envelope(said), browser);
      expect({ code, answer }).toMatchObject({ code, answer: { body: { error: { code } } } });
      expect([400, 403]).toContain(answer.status);
    }
    const taken = await shop.post(
      shop.envelope({ ...view('door-s', 's1'), email: 'ann@customers.example', traits: { vip: true } }),
      browser,
    );
    expect(taken.status).toBe(202);
    expect((await shop.contact('door-s')).facts).toMatchObject({ attributes: {} });
    expect((await shop.contact('door-s')).facts.address).toBeUndefined();
  });

  it('takes 100 events and 256 KB, and not one more', async () => {
    const shop = story();
    const many = (count: number) =>
      Array.from({ length: count }, (_, at) => shop.envelope(view('door-many', `m-${at}`)));
    expect(await shop.post(many(101))).toMatchObject({ status: 413, body: { error: { code: 'door.events' } } });
    expect(await shop.post({ batch: many(100) }, { path: 'v1/batch' })).toEqual({
      status: 202,
      body: { accepted: 100 },
    });
    expect(await shop.interactions('door-many')).toHaveLength(100);
    const wide = many(6).map((each) => ({ ...each, properties: { note: 'x'.repeat(50_000) } }));
    expect(await shop.post(wide)).toMatchObject({ status: 413, body: { error: { code: 'door.body' } } });
    expect(await shop.post('', { method: 'GET' })).toMatchObject({ status: 405 });
    expect(await shop.post([])).toMatchObject({ status: 400, body: { error: { code: 'door.empty' } } });
  });

  it('says 202 only when the bus has taken everything, and what is sent again counts once', async () => {
    const shop = story();
    const events = ['bus-a', 'bus-b'].map((id) => shop.envelope(view('door-bus', id)));
    for (const kind of ['partial', 'error'] as const) {
      const trouble = shop.laptop.simulate({ at: 'PutEvents', kind });
      const refused = await shop.post(events);
      trouble.stop();
      expect(refused).toMatchObject({ status: 503, body: { error: { code: 'door.bus' } } });
    }
    expect((await shop.post(events)).status).toBe(202);
    expect(await shop.interactions('door-bus')).toHaveLength(2);
  });

  it('takes the calls of Segment', async () => {
    const shop = story();
    const { type: _, ...track } = shop.envelope(view('seg', 'seg-1'));
    const { type: __, ...identify } = shop.envelope({ event: 'identify', user: 'seg', traits: { firstName: 'Seg' } });
    expect((await shop.post(track, { path: 'v1/track' })).status).toBe(202);
    expect((await shop.post(identify, { path: 'v1/identify' })).status).toBe(202);
    expect((await shop.contact('seg')).facts.attributes.firstName?.value).toBe('Seg');
    expect(await shop.interactions('seg')).toHaveLength(2);
  });
});

describe('from the bus', () => {
  it('buries each with its reason, and counts the good ones of the same batch', async () => {
    const shop = story();
    const before = (await shop.deadLetters()).length;
    const bad = cases.filter((each) => each.bus !== undefined);
    const entry = (said: Said) => ({ DetailType: said.event, Detail: JSON.stringify(shop.envelope(said)) });
    await shop.put(
      ...bad.flatMap((each, at) => [
        { DetailType: each.detailType ?? String(each.detail?.event ?? 'identify'), Detail: each.body },
        entry(view(`bus-${at}`, `b-${at}`)),
      ]),
    );
    const letters = (await shop.deadLetters()).slice(before);
    expect(letters.map(({ attributes }) => attributes.reason).toSorted()).toEqual(
      bad.map((each) => each.bus).toSorted(),
    );
    for (const { attributes, body, queue } of letters) {
      expect(attributes.stage).toBe('record-interaction');
      expect(Date.parse(attributes.at ?? '')).toBeGreaterThan(0);
      expect(queue).toContain('record');
      expect(JSON.parse(body)).toMatchObject({ source: 'shop' });
    }
    for (const at of bad.keys()) expect(await shop.interactions(`bus-${at}`)).toHaveLength(1);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    await expect(shop.contact('bad')).rejects.toThrow('no contact');
  });

  it('buries a text that is no event at all', async () => {
    const shop = story();
    const before = (await shop.deadLetters()).length;
    const sqs = new SQSClient(clientConfig({ env: shop.laptop.env }, 'SQS'));
    const bad = cases.filter((each) => each.queue !== undefined);
    for (const { body } of bad) {
      await sqs.send(new SendMessageCommand({ QueueUrl: shop.output('RecordQueueUrl'), MessageBody: body }));
    }
    sqs.destroy();
    await shop.idle();
    const letters = (await shop.deadLetters()).slice(before);
    expect(letters.map(({ attributes, body }) => [attributes.reason, body]).toSorted()).toEqual(
      bad.map((each) => [each.queue, each.body]).toSorted(),
    );
  });
});

describe('an event that cannot be recorded for the moment', () => {
  it('is delivered again, and counts once', async () => {
    const shop = story();
    const before = (await shop.deadLetters()).length;
    const trouble = shop.laptop.simulate({ at: 'invoke:record-interaction', kind: 'error', times: 3 });
    const lost = shop.laptop.simulate({ at: 'invoke:record-interaction', kind: 'drop', times: 2 });
    await shop.send({ event: 'Order Completed', user: 'again', properties: order('again-1', ['care-kit', 26]) });
    expect([trouble.struck(), lost.struck()]).toEqual([3, 2]);
    trouble.stop();
    lost.stop();
    expect((await shop.contact('again')).facts.orders).toMatchObject({ count: 1, gross: 2600 });
    expect((await shop.deadLetters()).length).toBe(before);
  });

  it('is a dead letter after eight deliveries, and counts when it is put back', async () => {
    const shop = story();
    const trouble = shop.laptop.simulate({ at: 'invoke:record-interaction', kind: 'error' });
    await shop.send({ event: 'Order Completed', user: 'late', properties: order('late-1', ['care-kit', 26]) });
    expect(trouble.struck()).toBe(8);
    trouble.stop();
    const [letter] = await shop.deadLetterOf('late-1');
    expect(letter?.attributes.receivedTooOftenFrom).toContain('record');
    await shop.queue.send(shop.output('RecordQueueUrl'), [JSON.parse(letter!.body)]);
    await shop.idle();
    expect((await shop.contact('late')).facts.orders).toMatchObject({ count: 1, gross: 2600 });
  });
});

describe('a name that is meant to do harm', () => {
  it('is text in the mail: no script, one line of subject, no header, no link', async () => {
    const shop = story();
    const names = {
      script: '<script>alert(1)</script>',
      header: 'Ann\r\nBcc: everybody@victims.example',
      link: 'www.evil.example/win',
      liquid: '{{ brand name | raw }}{% raw %}',
    };
    for (const [user, firstName] of Object.entries(names)) {
      await shop.send(
        { event: 'identify', user, email: `${user}@harm.example`, traits: { firstName } },
        { event: 'Consent Granted', user, properties: { topic: 'offers' } },
      );
    }
    for (const user of Object.keys(names)) {
      const [mail, ...none] = await shop.mails(`${user}@harm.example`);
      expect(none).toEqual([]);
      expect(mail?.to).toEqual([`${user}@harm.example`]);
      expect(mail?.subject).toMatch(/^Welcome to Aurora Camera[^\r\n]*$/);
      expect(mail?.html).not.toMatch(/<script/i);
      expect(mail?.html).not.toContain('evil.example');
      expect(mail?.text).not.toContain('evil.example');
      expect(mail?.headers.map(({ name }) => name).toSorted()).toEqual(['List-Unsubscribe', 'List-Unsubscribe-Post']);
    }
    expect((await shop.mails('liquid@harm.example'))[0]?.subject).toContain('{{ brand name | raw }}');
    // Nothing personal is in the log.
    const logs = shop.laptop.logs().join('\n');
    expect(logs).not.toContain('harm.example');
    expect(logs).not.toContain('alert(1)');
  });
});
