// A product turns: an item that stands in the due index until all who watch the product have been told, page by page.
import type { Book } from '../../domain/book.ts';
import type { CompiledCampaign } from '../../domain/compiled-campaign.ts';
import type { Contact } from '../../domain/contact.ts';
import type { Stimulus } from '../../domain/decision.ts';
import { isLive } from '../../domain/eligibility.ts';
import type { Interaction, JsonObject } from '../../domain/interaction.ts';
import { majorUnits } from '../../domain/money.ts';
import { hasTurned, inStock, lowestPrice30d } from '../../domain/product.ts';
import type { BookStore } from './book-store.ts';
import type { Log } from './handler.ts';
import { type ProductState, readProduct } from './product.ts';
import type { Queue } from './queue.ts';
import type { Recorder } from './recorder.ts';
import { type Item, key, shardOf, type Table } from './table.ts';
import { forgetWatchers, nextWatchers, type WatchCursor, type Watcher } from './watches.ts';

const DAY = 86_400_000;
/** A turn whose walk was lost is found in the index after this long. */
const LOST_AFTER = 5 * 60_000;
const KEPT = 90 * DAY;
/** Of one page: more than these at once are a fault of the book or of the table, not of a contact. */
const MOST_ALONE = 5;

/** One turn of a product for one campaign. */
export interface Turn {
  product: string;
  campaign: string;
  /** The interaction that turned it. */
  turn: string;
  /** When it turned. */
  at: number;
  /** What of: `product_id`, `price`, `lowestPrice30d` and `stock` as they were then, money in major units. */
  properties: JsonObject;
}

/** How far a turn is. */
interface Progress {
  page: number;
  cursor: WatchCursor;
  /** Watchers met, and runs that it has started. */
  asked: number;
  started: number;
  /** The queue message that has moved it there. */
  by?: string;
}

/**
 * The turns that an update brings, one for each live campaign that means it. None where the update was overtaken by a
 * later one, or is older than the campaign's triggers may be.
 */
export function turnsOf(
  book: Book,
  before: ProductState | undefined,
  after: ProductState,
  { id, at }: Interaction,
  now: number,
): Turn[] {
  if (before === undefined || book.starts.product.length === 0) return [];
  const isNews = (field: 'stock' | 'price'): boolean =>
    after.given[field]?.[0] === at && after.given[field]?.[1] === id;
  const news = { stock: isNews('stock'), price: isNews('price') };
  if (!news.stock && !news.price) return [];
  return book.starts.product.flatMap((campaign): Turn[] => {
    const { product } = campaign;
    if (product === undefined || !isLive(book, campaign, now) || at < now - campaign.triggerAge) return [];
    if (!hasTurned(product, before.product, after.product, news, at)) return [];
    return [
      {
        product: after.id,
        campaign: campaign.id,
        turn: id,
        at: Math.min(at, now),
        properties: propertiesOf(book, after, at),
      },
    ];
  });
}

function propertiesOf({ currency }: Pick<Book, 'currency'>, { id, product }: ProductState, at: number): JsonObject {
  const lowest = lowestPrice30d(product, at);
  return {
    product_id: id,
    ...(product.price !== undefined && { price: majorUnits(product.price, product.currency ?? currency) }),
    ...(lowest !== undefined && { lowestPrice30d: majorUnits(lowest, currency) }),
    ...(product.stock !== undefined && { stock: product.stock }),
  };
}

/** A turn as it is stored: due at once. */
export function turnItem(turn: Turn, now: number, shards: number): Item {
  return {
    ...key.turn(turn.product, turn.campaign, turn.turn),
    shape: 1,
    ...turn,
    page: 0,
    asked: 0,
    started: 0,
    duePk: `DUE#turn#${shardOf(turn.product, shards)}`,
    dueAt: now,
    ttl: Math.ceil((now + KEPT) / 1000),
  };
}

const readTurn = (item: Item): Turn => item as unknown as Turn;
const readProgress = (item: Item): Progress => ({
  page: item.page as number,
  cursor: (item.cursor as WatchCursor | undefined) ?? {},
  asked: item.asked as number,
  started: item.started as number,
  ...(item.by !== undefined && { by: item.by as string }),
});

/** A message of the walk over the watchers of a turn. */
export interface TurnStep {
  pk: string;
  sk: string;
  /** Which page of its watchers; without it the walk goes on where it stands. */
  page?: number;
  /** Watchers whom their page could not tell: they are tried alone, and the walk goes on without them. */
  watchers?: Watcher[];
}

export interface TurnDeps {
  table: Table;
  books: BookStore;
  recorder: Recorder;
  queue: Queue;
  now: () => number;
  log: Log;
  urls: { timers: string };
}

/**
 * Posts a message for each turn that is due in a shard. It is put off in the index first: its walk puts it off further
 * with each page, so that it is due again only when the walk was lost.
 */
export async function openTurns(items: Item[], shard: string, { table, queue, now, urls }: TurnDeps): Promise<void> {
  for (const { pk, sk, dueAt } of items) {
    const taken = await table.update(
      { pk, sk },
      {
        UpdateExpression: 'SET dueAt = :later',
        ConditionExpression: 'dueAt = :due',
        ExpressionAttributeValues: { ':later': now() + LOST_AFTER, ':due': dueAt },
      },
    );
    if (taken) await queue.send(urls.timers, [{ shard, turn: { pk, sk } }]);
  }
}

/**
 * Tells one page of the watchers, oldest first, and posts the next page. Each watcher is asked through the recorder;
 * what has started counts against "so many per unit in stock", of the stock at the turn or now, whichever is more. It
 * ends when nobody is left, when enough have started, when a product that was back in stock is out of it again, and when
 * the campaign is gone or means another thing by now.
 *
 * The checkpoint stands on the turn itself, as that of a roster's shard does on its mark: a page that comes again after a
 * crash asks the same people for the same occurrence, of which nothing starts twice, and counts them again by what they
 * have; a second chain ends at its next step. Throws what makes the message come again.
 *
 * Ten thousand watchers, all started (`test/functions/turns.test.ts`, units by the engine's count): 94 pages and as many
 * queue messages, 10,571 read units and 80,098 write units. So a watcher costs a strong read of the contact and, started,
 * 8 writes: the contact with its run 4 (2 for each KB), the message 2, its place in the index 1, the watch that goes 1.
 * The rest is per page: a query of each of the 4 shards of watchers, 3 small reads, one write with its place in the index.
 */
export async function walkTurn(step: TurnStep, shard: string, deps: TurnDeps, id: string): Promise<void> {
  const { table, books } = deps;
  const item = await table.readOne({ pk: step.pk, sk: step.sk });
  if (item === undefined) return;
  const turn = readTurn(item);
  const book = await books.current();
  const campaign = book.campaign.get(turn.campaign);
  if (step.watchers !== undefined) {
    if (campaign?.product === undefined) return;
    return tellAlone(step.watchers, item, campaign, deps);
  }
  if (item.ended !== undefined) return;
  const progress = readProgress(item);
  if (step.page !== undefined && step.page !== progress.page) {
    if (progress.by === id) await post({ pk: item.pk, sk: item.sk, page: progress.page }, shard, deps);
    return;
  }
  await walkPage(item, shard, campaign, deps, id);
}

async function walkPage(
  item: Item,
  shard: string,
  campaign: CompiledCampaign | undefined,
  deps: TurnDeps,
  id: string,
): Promise<void> {
  const { table, queue, now, log, urls } = deps;
  const turn = readTurn(item);
  const progress = readProgress(item);
  const end = async (ended: string): Promise<void> => {
    await move(item, progress, ended, deps, id);
  };
  if (campaign?.product === undefined) return end('the campaign is gone');
  const { perUnit, watch, inLast, turn: kind } = campaign.product;
  const present = await table.readOne(key.product(turn.product));
  const product = present === undefined ? undefined : readProduct(present).product;
  if (kind !== 'price drop' && product !== undefined && inStock(product) === false) return end('out of stock again');
  const stock = Math.max(Number(turn.properties.stock ?? 0), product?.stock ?? 0);
  const most = perUnit === undefined ? Number.POSITIVE_INFINITY : Math.floor(perUnit * stock);
  if (progress.started >= most) return end('enough were told');

  const wanted = { product: turn.product, watch, from: turn.at - inLast, to: turn.at };
  const { watchers, next } = await nextWatchers(table, wanted, progress.cursor);
  const told = await tell(watchers, turn, campaign, most - progress.started, deps);
  if (told.failed.length > MOST_ALONE) throw told.failed[0]?.error;
  const { pk, sk } = item;
  const alone = told.failed.map(({ watcher }) => watcher);
  if (alone.length > 0) await queue.send(urls.timers, [{ shard, turn: { pk, sk, watchers: alone } }]);
  const after: Progress = {
    page: progress.page + 1,
    cursor: next ?? progress.cursor,
    asked: progress.asked + told.asked,
    started: progress.started + told.started,
  };
  const ended = after.started >= most ? 'enough were told' : next === undefined ? 'all were told' : undefined;
  if (!(await move(item, after, ended, deps, id))) return;
  if (campaign.campaign.again === 'once per request') await forgetWatchers(table, wanted, told.served);
  if (ended === undefined) return post({ pk, sk, page: after.page }, shard, deps);
  const seconds = Math.round((now() - turn.at) / 1000);
  log.info('turn.ended', { campaign: turn.campaign, asked: after.asked, started: after.started, seconds });
}

interface Told {
  /** Contacts asked, and those whom this turn has started. */
  asked: number;
  started: number;
  /** Everything that those watched by who have been started. */
  served: Watcher[];
  failed: { watcher: Watcher; error: unknown }[];
}

/** Asks watchers in their order, never more of them at once than may still start. */
async function tell(
  watchers: Watcher[],
  turn: Turn,
  campaign: CompiledCampaign,
  room: number,
  { recorder }: Pick<TurnDeps, 'recorder'>,
): Promise<Told> {
  const told: Told = { asked: 0, started: 0, served: [], failed: [] };
  const waiting = distinct(watchers);
  for (let at = 0; at < waiting.length && told.started < room; ) {
    const some = waiting.slice(at, at + room - told.started);
    at += some.length;
    let left = some;
    // Twice in a row: what is in the way for a moment is gone by then.
    for (let times = 1; left.length > 0 && times <= 2; times++) {
      const byId = new Map(left.map((one) => [one.latest.contact, one]));
      const given = await recorder.give([...byId.keys()], (_, id) =>
        stimulusOf(turn, byId.get(id)?.latest.at as number),
      );
      left = [];
      for (const one of given) {
        const watcher = byId.get(one.id) as (typeof waiting)[number];
        if ('error' in one) {
          left.push(watcher);
          if (times === 2) told.failed.push({ watcher: watcher.latest, error: one.error });
        } else {
          told.asked += 1;
          if (!isStarted(one.contact, turn, watcher.latest.at, campaign)) continue;
          told.started += 1;
          told.served.push(...watcher.all);
        }
      }
    }
  }
  return told;
}

/** Each contact once, where it comes first, by what it watched by last. */
function distinct(watchers: Watcher[]): { latest: Watcher; all: Watcher[] }[] {
  const found = new Map<string, { latest: Watcher; all: Watcher[] }>();
  for (const watcher of watchers) {
    const known = found.get(watcher.contact);
    if (known === undefined) found.set(watcher.contact, { latest: watcher, all: [watcher] });
    else {
      known.latest = watcher;
      known.all.push(watcher);
    }
  }
  return [...found.values()];
}

const stimulusOf = ({ campaign, product, turn, at, properties }: Turn, watchedAt: number): Stimulus => ({
  kind: 'turn',
  campaign,
  product,
  turn,
  at,
  properties,
  watchedAt,
});

/**
 * Whether this turn has started a run for what somebody watched by, now or when the page was done before: what they
 * have tells it. Somebody who has watched more than once is counted where the run says that it is of that time.
 */
function isStarted({ journey }: Contact, turn: Turn, watchedAt: number, campaign: CompiledCampaign): boolean {
  const occurrence = `turn|${turn.turn}|${turn.product}`;
  const run = journey.runs.find((one) => one.campaign === turn.campaign && one.occurrence === occurrence);
  if (run !== undefined) return run.watchedAt === watchedAt;
  const answers = campaign.campaign.again === 'once per request' ? watchedAt : turn.at;
  return journey.starts[`${turn.campaign}|${turn.product}`] === answers;
}

/** Tells watchers whom their page had to leave: as far as there is room still. */
async function tellAlone(watchers: Watcher[], item: Item, campaign: CompiledCampaign, deps: TurnDeps): Promise<void> {
  const turn = readTurn(item);
  const { perUnit, watch } = campaign.product as NonNullable<CompiledCampaign['product']>;
  const most =
    perUnit === undefined ? Number.POSITIVE_INFINITY : Math.floor(perUnit * Number(turn.properties.stock ?? 0));
  const { started, served, failed } = await tell(watchers, turn, campaign, most - readProgress(item).started, deps);
  if (started > 0) {
    await deps.table.update(item, {
      UpdateExpression: 'ADD started :started',
      ExpressionAttributeValues: { ':started': started },
    });
  }
  const wanted = { product: turn.product, watch };
  if (campaign.campaign.again === 'once per request') await forgetWatchers(deps.table, wanted, served);
  if (failed[0] !== undefined) throw failed[0].error;
}

/** Sets the checkpoint, unless another chain was faster: false where it was. What has ended leaves the index. */
async function move(
  item: Item,
  { page, cursor, asked, started }: Progress,
  ended: string | undefined,
  { table, now }: TurnDeps,
  id: string,
): Promise<boolean> {
  return table.update(
    { pk: item.pk, sk: item.sk },
    {
      UpdateExpression: `SET #page = :page, #cursor = :cursor, asked = :asked, #by = :id, #moved = :now${
        ended === undefined ? ', dueAt = :later' : ', ended = :ended REMOVE duePk, dueAt'
      } ADD started :started`,
      ConditionExpression: '#page = :was AND attribute_not_exists(ended)',
      ExpressionAttributeNames: { '#page': 'page', '#cursor': 'cursor', '#by': 'by', '#moved': 'movedAt' },
      ExpressionAttributeValues: {
        ':page': page,
        ':was': item.page,
        ':cursor': cursor,
        ':asked': asked,
        ':id': id,
        ':now': now(),
        ':started': started - Number(item.started),
        ...(ended === undefined ? { ':later': now() + LOST_AFTER } : { ':ended': ended }),
      },
    },
  );
}

async function post(step: TurnStep, shard: string, { queue, urls }: TurnDeps): Promise<void> {
  await queue.send(urls.timers, [{ shard, turn: step }]);
}
