// Playing live events: in order, the clock jumping to the next event or due instant, and never standing still for ever.
import { describe, expect, test } from 'vitest';
import type { ImportedEvent } from '../../domain/mapping-events.ts';
import { playLive, type Stage } from '../../local/shop-live.ts';

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

/** A stage that writes down what happens; each event makes something due a while later. */
class Script implements Stage {
  readonly told: string[] = [];
  time = START;
  due: number[] = [];
  stays = false;
  wait: number | undefined;
  readonly clock = {
    now: () => this.time,
    moveTo: (instant: number) => {
      expect(instant).toBeGreaterThanOrEqual(this.time);
      this.time = instant;
    },
  };
  #at(): string {
    return `${(this.time - START) / MINUTE}`;
  }
  async putEvents(entries: { DetailType: string }[]): Promise<void> {
    this.told.push(`${this.#at()} ${entries.map((entry) => entry.DetailType).join(' ')}`);
    if (this.wait !== undefined) for (const _ of entries) this.due.push(this.time + this.wait);
  }
  async idle(): Promise<void> {}
  nextDue(): number | undefined {
    return this.due.length === 0 ? undefined : Math.min(...this.due);
  }
  async runTimers(): Promise<void> {
    this.told.push(`${this.#at()} timers`);
    if (!this.stays) this.due = this.due.filter((due) => due > this.time);
  }
}

const event = (name: string, minutes: number): ImportedEvent => ({ name, at: START + minutes * MINUTE, detail: {} });
const play = (script: Script, events: ImportedEvent[], until: number, step = MINUTE) =>
  playLive(script, events, { source: 'shop', until: START + until * MINUTE, step });

describe('playing live events', () => {
  test('jumps to the next event or due instant, whichever is first, and to the end', async () => {
    const script = new Script();
    script.wait = 10 * MINUTE;
    const { steps } = await play(script, [event('a', 5), event('b', 12), event('c', 500)], 1000);
    expect(script.told).toEqual(['5 a', '12 b', '15 timers', '22 timers', '500 c', '510 timers']);
    expect(steps).toBe(6);
    expect(script.time).toBe(START + 1000 * MINUTE);
  });

  test('takes events of one stretch together, after the instant at which they happened', async () => {
    const script = new Script();
    await play(script, [event('a', 1), event('b', 4), event('c', 6)], 60, 5 * MINUTE);
    expect(script.told).toEqual(['5 a b', '10 c']);
  });

  test('leaves alone what happens or falls due after its end', async () => {
    const script = new Script();
    script.wait = 60 * MINUTE;
    await play(script, [event('a', 5), event('b', 50)], 40);
    expect(script.told).toEqual(['5 a']);
  });

  test('goes on, more and more rarely, when something stays due, and says so', async () => {
    const script = new Script();
    script.stays = true;
    script.due = [START];
    const { stuck, steps } = await play(script, [event('a', 5000)], 10_000);
    expect(script.told.some((line) => line.endsWith(' a'))).toBe(true);
    expect(stuck).toBeGreaterThan(5);
    expect(steps).toBeLessThan(200);
  });
});
