// A burst: everything is due at once, and goes out at the set rate, each once.
import { describe, expect, it } from 'vitest';
import { aStory, MINUTE, type Said } from '../support/laptop.ts';

const nightly = process.env.KAIROS_NIGHTLY !== undefined;
const MESSAGES = nightly ? 10_000 : 500;
const RATE = 150;
const AT_ONCE = 250;

const story = aStory({ overrides: { SEND_RATE: String(RATE) } });

/** Somebody new asks for a confirmation: one service mail. */
const asks = (number: number): Said => ({
  event: 'Consent Requested',
  user: `burst-${number}`,
  email: `burst-${number}@customers.example`,
  properties: { topic: 'offers' },
});

describe(`given ${MESSAGES} messages that are due when sending starts again`, () => {
  it(
    `brings each to SES once, at most ${RATE} in any second`,
    async () => {
      const shop = story();
      await shop.next();
      await shop.control({ stopped: true });
      for (let from = 0; from < MESSAGES; from += AT_ONCE) {
        await shop.send(...Array.from({ length: Math.min(AT_ONCE, MESSAGES - from) }, (_, n) => asks(from + n)));
      }
      expect(shop.laptop.mailbox.count()).toBe(0);
      await shop.control({ stopped: false });
      const began = performance.now();
      const started = shop.now();
      // Each minute brings what two minutes send; what was parked comes back within five.
      const most = 10 + Math.ceil(MESSAGES / RATE / 60) * 2;
      for (let minutes = 0; minutes < most && shop.laptop.mailbox.count() < MESSAGES; minutes++) {
        await shop.until(shop.now() + MINUTE);
        await shop.timers();
      }
      const took = (performance.now() - began) / 1000;

      const mails = await shop.mails();
      expect(new Set(mails.map((mail) => mail.to[0])).size).toBe(MESSAGES);
      expect(mails).toHaveLength(MESSAGES);
      const messages = await shop.messages();
      expect(messages.filter(({ state }) => state === 'sent')).toHaveLength(MESSAGES);
      expect(await shop.deadLetters()).toEqual([]);
      // A claim is made inside of its slot's second; the call follows before that second ends.
      const bySecond = new Map<number, number>();
      for (const { claimedAt = 0 } of messages) {
        const second = Math.floor(claimedAt / 1000);
        bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
      }
      expect(Math.max(...bySecond.values())).toBeLessThanOrEqual(RATE);
      expect(Math.min(...bySecond.keys()) * 1000).toBeGreaterThanOrEqual(Math.floor(started / 1000) * 1000);
      if (nightly) {
        const busy = [...bySecond.values()];
        console.log(
          JSON.stringify({
            messages: MESSAGES,
            rate: RATE,
            seconds: took,
            sending: busy.length,
            most: Math.max(...busy),
          }),
        );
      }
    },
    30 * MINUTE,
  );
});
