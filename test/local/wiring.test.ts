// The synthesised stack on the laptop: each rule wakes or feeds what it names, and nothing else.
import { SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2';
import { describe, expect, it } from 'vitest';
import { clientConfig } from '../../cli/publish.ts';
import { aStory } from '../support/laptop.ts';

const story = aStory({ context: { trackOpens: true }, ses: { maxSendRate: 77 } });

/** How often a function has run, by the beginning of its logical id. */
const runs = (name: string) =>
  Object.entries(story().laptop.invocations())
    .filter(([id]) => id.startsWith(name))
    .reduce((sum, [, times]) => sum + times, 0);

async function counted(names: string[], what: () => Promise<unknown>): Promise<number[]> {
  const before = names.map(runs);
  await what();
  await story().idle();
  return names.map((name, at) => runs(name) - before[at]!);
}

describe('the rules of the stack', () => {
  it('of each minute wake run-timers and guard-sending, which reads what SES says', async () => {
    const shop = story();
    expect(await counted(['RunTimers', 'GuardSending'], () => shop.timers())).toEqual([1, 1]);
    expect(await shop.table.readOne({ pk: 'ACCOUNT#ses', sk: 'ACCOUNT' })).toMatchObject({
      maxRate: 77,
      max24h: 50_000,
      sendingEnabled: true,
      production: true,
      enforcement: 'HEALTHY',
    });
  });

  it('record what is about people, and nothing of operations', async () => {
    const shop = story();
    const names = ['RecordInteraction', 'ReceiveFeedback'];
    const put = (Source: string, DetailType: string) => shop.put({ Source, DetailType, Detail: '{}' });
    expect(await counted(names, () => put('shop', 'Product Viewed'))).toEqual([1, 0]);
    expect(await counted(names, () => put('kairos', 'Consent Granted'))).toEqual([1, 0]);
    expect(await counted(names, () => put('kairos', 'Consent Withdrawn'))).toEqual([1, 1]);
    expect(await counted(names, () => put('shop', 'Consent Withdrawn'))).toEqual([1, 0]);
    expect(await counted(names, () => put('kairos.operations', 'Sending Stopped'))).toEqual([0, 0]);
  });

  it('bring the feedback of both configuration sets; opens come from the tracked one only', async () => {
    const shop = story();
    const ses = new SESv2Client({
      ...clientConfig({ env: shop.laptop.env }, 'SQS'),
      endpoint: shop.laptop.env.AWS_ENDPOINT_URL_SESV2!,
    });
    const send = (ConfigurationSetName: string) =>
      ses.send(
        new SendEmailCommand({
          FromEmailAddress: 'hello@mail.aurora-camera.example',
          Destination: { ToAddresses: ['ann@customers.example'] },
          ConfigurationSetName,
          Content: { Simple: { Subject: { Data: 'Hello' }, Body: { Text: { Data: 'Hi' } } } },
        }),
      );
    const ids: string[] = [];
    for (const set of ['ConfigurationSetName', 'TrackedConfigurationSetName']) {
      const [woken] = await counted(['ReceiveFeedback'], async () => {
        ids.push((await send(shop.output(set))).MessageId!);
      });
      expect(woken).toBeGreaterThan(0);
    }
    expect(ids.map((id) => shop.laptop.react(id, { kind: 'open' }))).toEqual([false, true]);
    expect(ids.map((id) => shop.laptop.react(id, { kind: 'click', link: 'https://shop.example/' }))).toEqual([
      true,
      true,
    ]);
    ses.destroy();
  });
});
