// Draws: a contact's fixed number in each, by a salted and versioned hash that anybody can recompute.
import { sha256 } from './interaction.ts';

/**
 * What is drawn. The version after the slash is part of the hash: should the way of drawing ever change, draws that have
 * been made stay as they are.
 */
export type DrawKind = 'share' | 'holdout/1' | 'global-holdout/1' | 'variant/1' | 'split/1' | 'test/1';

/**
 * A contact's number from 0 (included) to 100 (excluded) in a draw: the first 32 bits of
 * sha256(kind NUL name NUL contact id), as a share of 2^32.
 */
export function drawOf(kind: DrawKind, name: string, contactId: string): number {
  return (Number.parseInt(sha256(`${kind}\u0000${name}\u0000${contactId}`).slice(0, 8), 16) / 2 ** 32) * 100;
}

/** The one of several weighted names, in percent, whose stretch holds the draw; the last where weights fall short. */
export function pick<T extends { weight: number }>(weighted: readonly T[], draw: number): T | undefined {
  let reached = 0;
  for (const one of weighted) {
    reached += one.weight;
    if (draw < reached) return one;
  }
  return weighted.findLast(({ weight }) => weight > 0);
}

/** The global holdout is drawn anew after so long. */
export const GLOBAL_HOLDOUT_LASTS = 180 * 86_400_000;

/** The period of the global holdout at an instant: its name, which salts the draw, and from when to when it lasts. */
export function globalPeriod(now: number): { name: string; from: number; to: number } {
  const index = Math.floor(now / GLOBAL_HOLDOUT_LASTS);
  return {
    name: `period ${index}`,
    from: index * GLOBAL_HOLDOUT_LASTS,
    to: (index + 1) * GLOBAL_HOLDOUT_LASTS,
  };
}

/** By which draw a contact is held out of a campaign: drawn once, at entry. `percent` 0 holds nobody out. */
export function heldOutOf(
  campaign: { id: string; holdout: number },
  globalPercent: number,
  contactId: string,
  now: number,
): 'campaign' | 'global' | undefined {
  if (globalPercent > 0 && drawOf('global-holdout/1', globalPeriod(now).name, contactId) < globalPercent)
    return 'global';
  return campaign.holdout > 0 && drawOf('holdout/1', campaign.id, contactId) < campaign.holdout
    ? 'campaign'
    : undefined;
}

/** The names of the draws of one step: the campaign, and the send's key or the split's place. */
export const stepDraw = (campaign: string, step: string): string => `${campaign}|${step}`;
