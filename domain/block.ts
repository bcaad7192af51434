// Blocks on an address, whatever the consent: of several, which one stands.
import type { SuppressionReason } from './contact.ts';

/** A block on an address. */
export interface Block {
  reason: SuppressionReason;
  at: number;
}

/** What only the person can take back stands above what another mailbox state may end. */
const STRENGTH: Record<SuppressionReason, number> = { unreachable: 1, imported: 2, bounced: 3, complained: 4 };

/** Of all blocks on an address the strongest reason, and the earliest instant of that reason: in any order, with any repeats. */
export function foldBlock(known: Block | undefined, heard: Block): Block {
  if (known === undefined) return heard;
  const stronger = STRENGTH[heard.reason] - (STRENGTH[known.reason] ?? 0);
  return stronger > 0 || (stronger === 0 && heard.at < known.at) ? heard : known;
}
