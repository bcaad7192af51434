// What starts a run brings: the properties that "@trigger.…" and the e-mails of a campaign may read.
import type { When } from './campaign-grammar.ts';
import type { EventFields } from './fields.ts';
import { attributeType, type Vocabulary } from './vocabulary.ts';

/** Something that may start a run, as a sentence names it, and the properties that it brings. */
export interface Trigger {
  name: string;
  fields: EventFields;
}

/** What may start a run of a campaign: each of its events, or the one thing that does; events that do not exist are left out. */
export function triggersOf(when: When, vocabulary: Vocabulary): Trigger[] {
  if ('did' in when) {
    return [when.did].flat().flatMap((name) => {
      const fields = Object.hasOwn(vocabulary.events, name) ? vocabulary.events[name] : undefined;
      return fields === undefined ? [] : [{ name: `"${name}"`, fields }];
    });
  }
  if ('enters' in when) return [{ name: 'a segment that is entered', fields: { segment: 'text' } }];
  if ('leaves' in when) return [{ name: 'a segment that is left', fields: { segment: 'text' } }];
  if ('changes' in when) {
    const type = attributeType(when.changes, vocabulary) ?? 'text';
    return [{ name: 'an attribute that changes', fields: { attribute: 'text', from: type, to: type } }];
  }
  if ('date' in when) return [{ name: 'a date that comes', fields: { date: 'date' } }];
  if ('due' in when) return [{ name: 'a product that runs out', fields: { product_id: 'text' } }];
  if ('product' in when) {
    const fields: EventFields = { product_id: 'text', price: 'money', lowestPrice30d: 'money', stock: 'number' };
    return [{ name: 'a product that turns', fields }];
  }
  return [{ name: 'a broadcast', fields: { date: 'date' } }];
}
