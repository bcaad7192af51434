// The event bus: putting events until all are taken.
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { jitter, sleep } from './clock.ts';

export interface BusEvent {
  source: string;
  /** The event's name. */
  detailType: string;
  detail: unknown;
}

const MOST_ENTRIES = 10;
const MOST_BYTES = 900_000;

/** A client that gives up before the shortest of our functions does: ten seconds. */
function busClient(): EventBridgeClient {
  return new EventBridgeClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 4_000, throwOnRequestTimeout: true },
  });
}

export class Bus {
  readonly #client: EventBridgeClient;
  readonly #name: string;
  constructor(name: string, client: EventBridgeClient = busClient()) {
    this.#name = name;
    this.#client = client;
  }

  /** Puts all events; failed entries are put again, three times. Answers how many were not taken in the end. */
  async put(events: BusEvent[]): Promise<number> {
    return (await this.refusedOf(events)).length;
  }

  /** The same, and answers which. */
  async refusedOf(events: BusEvent[]): Promise<BusEvent[]> {
    const of = new Map<object, BusEvent>();
    const entries = events.map((event) => {
      const entry = {
        EventBusName: this.#name,
        Source: event.source,
        DetailType: event.detailType,
        Detail: JSON.stringify(event.detail),
      };
      of.set(entry, event);
      return entry;
    });
    const refused: BusEvent[] = [];
    while (entries.length > 0) {
      let bytes = 0;
      let count = 0;
      while (count < Math.min(MOST_ENTRIES, entries.length)) {
        bytes += Buffer.byteLength(entries[count]?.Detail ?? '');
        if (count > 0 && bytes > MOST_BYTES) break;
        count++;
      }
      let left = entries.splice(0, count);
      for (let attempt = 1; ; attempt++) {
        const answer = await this.#client.send(new PutEventsCommand({ Entries: left }));
        if ((answer.FailedEntryCount ?? 0) === 0) break;
        left = left.filter((_, index) => answer.Entries?.[index]?.ErrorCode !== undefined);
        if (attempt === 3) {
          refused.push(...left.flatMap((entry) => of.get(entry) ?? []));
          break;
        }
        await sleep(jitter(attempt));
      }
    }
    return refused;
  }
}
