// Which parts of the models the attributes of a contact rest on, and so which of them the rules of a book read.
import type { ModelPart } from './models.ts';

/** By what an attribute's name begins with; the longest counts. */
const RESTS_ON: Record<string, readonly ModelPart[]> = {
  'rfm.': ['rfm'],
  'predicted.': ['purchases'],
  'predicted.value': ['purchases', 'spend', 'margin'],
  'value.': ['purchases', 'spend', 'margin'],
  'value.past': ['margin'],
  'value.decile': ['purchases', 'spend', 'margin', 'deciles'],
};
const BEGINNINGS = Object.keys(RESTS_ON).sort((a, b) => b.length - a.length);

/** The parts of the models that an attribute is evaluated from; none of one that models say nothing of. */
export function partsOfAttribute(name: string): readonly ModelPart[] {
  const begins = BEGINNINGS.find((one) => name.startsWith(one));
  return begins === undefined ? [] : (RESTS_ON[begins] as readonly ModelPart[]);
}

/** The parts that rules read, wherever they name an attribute: asked of, compared with, or waited for. */
export function partsRead(rules: unknown, found = new Set<ModelPart>()): Set<ModelPart> {
  const add = (name: string): void => {
    for (const part of partsOfAttribute(name.replace(/^@contact\./, ''))) found.add(part);
  };
  if (typeof rules === 'string') add(rules);
  else if (Array.isArray(rules)) for (const one of rules) partsRead(one, found);
  else if (rules !== null && typeof rules === 'object') {
    for (const [name, value] of Object.entries(rules)) {
      add(name);
      partsRead(value, found);
    }
  }
  return found;
}
