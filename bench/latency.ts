// How long from PutEvents to the SES call: one event after the other through the whole stack on this machine.
import { resolve } from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { clientConfig, publishFolder } from '../cli/publish.ts';
import { startLaptop } from '../local/laptop.ts';
import { synthesise } from '../local/synth.ts';

const ROOT = resolve(import.meta.dirname, '..');
const EVENTS = 200;
/** The first ones load bundles and open connections. */
const WARM_UP = 20;
const NOON = Date.parse('2026-03-02T11:00:00Z');
/** Functions keep the book that they have for ten seconds. */
const BOOK_KEPT = 11_000;

export interface Latency {
  /** Milliseconds from the call of PutEvents to the arrival of SendEmail. */
  p50: number;
  p95: number;
  n: number;
}

/**
 * Sends requests for consent, each answered by a service mail at once, and waits for each before the next. The laptop
 * waits for no batching window: on AWS up to a second comes on top. Throws when a mail does not come.
 */
export async function measureLatency(): Promise<Latency> {
  const { template, assets } = await synthesise(ROOT);
  const laptop = await startLaptop({ template, assets, start: NOON, quiet: true });
  const { outputs, env } = laptop;
  const client = new EventBridgeClient({
    endpoint: env.AWS_ENDPOINT_URL_EVENTBRIDGE as string,
    ...clientConfig({ env }, 'SQS'),
  });
  try {
    await publishFolder(`${ROOT}/templates`, { outputs, env }, { now: laptop.clock.now() });
    await laptop.idle({ leaveWindows: true });
    laptop.clock.moveTo(laptop.clock.now() + BOOK_KEPT);
    const saidAt = new Map<string, number>();
    for (let number = 0; number < WARM_UP + EVENTS; number++) {
      const email = `latency-${number}@customers.example`;
      const detail = {
        type: 'track',
        event: 'Consent Requested',
        messageId: `latency-${number}`,
        userId: `latency-${number}`,
        context: { traits: { email, firstName: 'Ann' } },
        properties: { topic: 'offers', wording: 'v1' },
      };
      saidAt.set(email, laptop.clock.now());
      const entry = { Source: 'shop', DetailType: detail.event, Detail: JSON.stringify(detail) };
      await client.send(new PutEventsCommand({ Entries: [{ EventBusName: outputs.BusName, ...entry }] }));
      await laptop.idle({ leaveWindows: true });
    }
    const mails = await laptop.mailbox.list();
    if (mails.length !== saidAt.size) throw new Error(`latency: ${mails.length} of ${saidAt.size} mails came`);
    const took = mails.slice(WARM_UP).map((mail) => mail.at - (saidAt.get(mail.to[0] ?? '') ?? Number.NaN));
    took.sort((a, b) => a - b);
    const quantile = (share: number): number => took[Math.ceil(took.length * share) - 1] as number;
    return { p50: quantile(0.5), p95: quantile(0.95), n: took.length };
  } finally {
    client.destroy();
    await laptop.close();
  }
}
