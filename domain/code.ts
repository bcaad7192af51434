// Texts that identify things and name no person: what may stand in a file of the lake.
import { shortHash } from './interaction.ts';

const MOST_ID = 200;
const MOST_CODE = 60;

/** Addresses, and characters that no id holds: control, format and line separators. */
const FOREIGN = /[@\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Whether a text may be a code of at most `most` characters: no address, no control characters, not blank. */
export function isCode(text: string, most: number = MOST_CODE): boolean {
  return text.length <= most && text.trim() !== '' && text.isWellFormed() && !FOREIGN.test(text);
}

/**
 * An id as the lake holds it: itself where it can be one, else a hash of it, so that what belongs together still does.
 * Producers choose ids: one that is an address must not become a text about a person.
 */
export function lakeId(id: string): string {
  return isCode(id, MOST_ID) ? id : `~${shortHash('lake', id)}`;
}
