// E-mail addresses: which can be written to, and the one form under which each is known.
import { domainToASCII } from 'node:url';
import { sha256 } from './interaction.ts';

const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * The address in its one form (trimmed, lower case, domain in punycode) with its hash, or the reason why it is none
 * that can be written to: plain `local@domain` only, without comments, quotes, display names and IP literals, at most
 * 64 and 254 characters. The local part is ASCII. The reason never quotes the text. Never throws.
 */
export function parseAddress(text: string): { address: string; hash: string } | { refused: string } {
  if (typeof text !== 'string') return { refused: 'not a text' };
  if (CONTROL.test(text)) return { refused: 'holds a control character or a line break' };
  const trimmed = text.trim();
  if (trimmed === '') return { refused: 'empty' };
  // Bounds the work below; punycode only makes a domain longer.
  if (trimmed.length > 254) return { refused: 'longer than 254 characters' };
  const at = trimmed.lastIndexOf('@');
  if (at === -1) return { refused: 'has no @' };
  const local = trimmed.slice(0, at);
  if (local === '') return { refused: 'nothing before the @' };
  if (local.length > 64) return { refused: 'more than 64 characters before the @' };
  // Before any normalisation: U+212A would become an ordinary k, and one person's address another's.
  if (/[^\u0000-\u007f]/.test(local)) return { refused: 'letters other than a to z before the @' };
  if (!LOCAL.test(local)) return { refused: 'not a plain name before the @' };
  const domain = asciiDomain(trimmed.slice(at + 1));
  if (typeof domain !== 'string') return domain;
  const address = `${local.toLowerCase()}@${domain}`;
  if (address.length > 254) return { refused: 'longer than 254 characters' };
  return { address, hash: hashAddress(address) };
}

/** SHA-256 in hex of a normalised address: what other tools export as a suppression hash. */
export function hashAddress(normalised: string): string {
  return sha256(normalised);
}

function asciiDomain(given: string): string | { refused: string } {
  if (given === '') return { refused: 'no domain after the @' };
  if (given.startsWith('[')) return { refused: 'an IP address in place of a domain' };
  let domain = given.toLowerCase();
  if (/[^\u0000-\u007f]/.test(given)) {
    // What a host name may be written with; domainToASCII, which normalises, would read "%41" too.
    if (!/^[\p{L}\p{M}\p{N}.\-\u00b7\u30fb\u3002\uff0e\uff61]+$/u.test(given))
      return { refused: 'not a domain after the @' };
    domain = domainToASCII(given).toLowerCase();
    if (domain === '') return { refused: 'not a domain after the @' };
  }
  const labels = domain.split('.');
  if (labels.length < 2) return { refused: 'a domain without a dot' };
  if (!labels.every((label) => LABEL.test(label))) return { refused: 'not a domain after the @' };
  if (/^\d+$/.test(labels.at(-1)!)) return { refused: 'an IP address in place of a domain' };
  return domain;
}
