// What keeps a campaign's message from a contact at an instant, beside its audience: the gates, asked one by one.
import type { Book } from './book.ts';
import type { CompiledCampaign } from './compiled-campaign.ts';
import type { Contact } from './contact.ts';
import { heldOutOf } from './draw.ts';
import { capFree, consents, isLive, refusedFor } from './eligibility.ts';
import { sayReason } from './say-decision.ts';
import { durationMs } from './time.ts';

/** Something in the way: as reports count it, and in words. */
export interface Hindrance {
  reason: string;
  words: string;
}

/**
 * Everything that would keep a run from beginning, or a first message from being sent, in the order of the gates. What
 * depends on the trigger or on the moment of the send (a product's rest, "needs", quiet hours) is not asked.
 */
export function hindrances(book: Book, contact: Contact, campaign: CompiledCampaign, now: number): Hindrance[] {
  const { facts, journey } = contact;
  const { settings } = book.definitions;
  const found: Hindrance[] = [];
  const add = (reason: string, words = sayReason(reason)): void => {
    found.push({ reason, words });
  };
  if (book.controls.stopped !== undefined) add('sending is stopped');
  if (book.controls.paused[campaign.id] !== undefined) add('the campaign is paused');
  if (!isLive(book, campaign, now)) add('not live', 'the campaign is not live');
  if (facts.suppressed !== undefined) add('suppressed', `the address is suppressed: ${facts.suppressed.reason}`);
  if (facts.address === undefined) add('no address');
  if (!consents(contact, campaign, now)) add('no consent');
  const refused = refusedFor(book, contact, campaign, now);
  if (refused !== undefined) add(refused.endsWith('rests') ? 'resting' : refused, sayReason(refused));
  const again = againRefused(contact, campaign, now);
  if (again !== undefined) add('again', again);
  if (campaign.campaign.kind !== 'marketing') return found;
  const { ifCapped } = campaign.campaign;
  const patience = ifCapped === undefined || ifCapped === 'skip' ? 0 : durationMs(ifCapped.slice('wait '.length));
  if (capFree(settings.caps, journey.sends, now) - now > patience) add('frequency-cap');
  const heldOut = heldOutOf(campaign, settings.globalHoldout?.percent ?? 0, contact.id, now);
  if (heldOut !== undefined) {
    add('held out', heldOut === 'global' ? 'held out by the global holdout' : 'held out by its own draw');
  }
  return found;
}

/** Why the contact may not enter again, as far as that is the same whatever the trigger. */
function againRefused({ journey }: Contact, { id, campaign }: CompiledCampaign, now: number): string | undefined {
  if (journey.runs.some((run) => run.campaign === id && run.ended === undefined && run.product === undefined)) {
    return 'a run is under way';
  }
  const last = journey.starts[id];
  const { again } = campaign;
  if (last === undefined || again === 'every time' || again.startsWith('once per')) return undefined;
  if (again === 'never') return 'it has entered before (“again”: never)';
  return now - last < durationMs(again.slice('after '.length))
    ? `it entered not long ago (“again”: ${again})`
    : undefined;
}
