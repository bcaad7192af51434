// What "@…" stands for in a campaign: what started the run, its product, what was sent, what was watched, the contact.
import { nearest, quote, suggest } from './fault.ts';
import { derivedAttributes } from './rule-attributes.ts';
import type { FieldType } from './settings.ts';
import type { Trigger } from './triggers.ts';
import { attributeType, productFields, type Vocabulary } from './vocabulary.ts';

/** What is known where a rule or a value of a campaign stands; absent in segments. */
export interface RunKnowledge {
  /** False where no run is looked at. */
  begun: boolean;
  /** What may start the run. */
  triggers: Trigger[];
  /** There is a product: the line of `each`, the one that is due or turns, or the trigger's. */
  product: boolean;
  /** It starts for people who watch a product. */
  watch: boolean;
  /** Whether what its e-mails recommended is known: not before they are sent, and not where none recommends. */
  sent: 'known' | 'too early' | 'nothing';
  /** It may speak of the contact: in what is handed over to others. */
  contact?: boolean;
}

/** Inside a campaign, where no run is looked at: where people are chosen, and at the send. */
export const NO_RUN: RunKnowledge = { begun: false, triggers: [], product: false, watch: false, sent: 'too early' };

export interface ReferenceFault {
  code: string;
  message: string;
  remedy?: string;
}

const ROOTS = ['trigger', 'product', 'sent', 'watch', 'contact'];

export const isReference = (value: unknown): value is string => typeof value === 'string' && value.startsWith('@');

/** Every reference that is known in such a place, but for those of the contact. */
export function referencesIn(run: RunKnowledge): string[] {
  if (!run.begun) return [];
  const [first, ...others] = run.triggers;
  const shared = Object.entries(first?.fields ?? {}).flatMap(([name, type]) =>
    typeof type === 'string' && others.every(({ fields }) => Object.hasOwn(fields, name)) ? [`@trigger.${name}`] : [],
  );
  return [
    ...shared,
    ...(run.product ? ['id', ...Object.keys(productFields)].map((field) => `@product.${field}`) : []),
    ...(run.watch ? ['@watch.at'] : []),
    ...(run.sent === 'known' ? ['@sent.recommendations'] : []),
  ];
}

/** The type of what a reference stands for, or what is wrong with it in this place. */
export function meaningOfReference(
  reference: string,
  run: RunKnowledge | undefined,
  known: Vocabulary,
): FieldType | ReferenceFault {
  const fault = (message: string, remedy?: string, code = 'rule.reference'): ReferenceFault => ({
    code,
    message,
    ...(remedy === undefined ? {} : { remedy }),
  });
  const [root = '', ...rest] = reference.slice(1).split('.');
  const field = rest.join('.');
  if (!ROOTS.includes(root)) {
    const words = run === undefined ? ['@trigger.order_id', '@product.id'] : referencesIn(run);
    const exact = words.find(
      (word) => word.endsWith(`.${field}`) && nearest(root, ROOTS) === word.slice(1).split('.')[0],
    );
    return fault(
      `${quote(reference)} is unknown.`,
      exact !== undefined ? `Did you mean "${exact}"?` : (suggest(reference, words) ?? STARTS),
    );
  }
  if (run === undefined || !run.begun) {
    return fault(
      `${quote(reference)} is known only inside ${run === undefined ? 'a campaign' : 'a run'}.`,
      'Write the value itself.',
      'rule.only-in-campaign',
    );
  }
  if (root === 'contact') return ofContact(reference, field, run, known, fault);
  if (!run.begun)
    return fault(`${quote(reference)} is not known here: no run is looked at.`, 'Write the value itself.');
  if (root === 'trigger') return ofTrigger(reference, rest, run, fault);
  if (root === 'watch') {
    if (!run.watch) {
      return fault(
        `${quote(reference)} is known only in campaigns that start with a "product" that turns.`,
        'Write "since": "run start".',
      );
    }
    return field === 'at' ? 'date' : fault(`${quote(reference)} is unknown.`, 'Did you mean "@watch.at"?');
  }
  if (root === 'sent') {
    if (field !== 'recommendations') {
      return fault(`${quote(reference)} is unknown.`, 'Did you mean "@sent.recommendations"?');
    }
    if (run.sent === 'known') return 'list';
    return run.sent === 'nothing'
      ? fault(
          `${quote(reference)}: no e-mail of this campaign recommends anything.`,
          'Show "recommendations" in one of them, or name the products.',
        )
      : fault(
          `${quote(reference)} is not known here: it is what e-mails have recommended by then.`,
          'It belongs in "success", "stopIf", "if", "waitFor" and "unless".',
        );
  }
  if (!run.product) {
    return fault(
      `${quote(reference)} needs a product, and this campaign has none.`,
      'Say "each": "products" in "when", or start with an event that has a product_id.',
    );
  }
  if (field === '' || field === 'id' || field === 'product_id') return 'text';
  if (Object.hasOwn(productFields, field)) return productFields[field] as FieldType;
  return fault(
    `a product has no field "${field}".`,
    suggest(field, ['id', 'product_id', ...Object.keys(productFields)]),
  );
}

const STARTS = 'A reference begins with "@trigger.", "@product.", "@watch." or "@sent.".';

type Fail = (message: string, remedy?: string) => ReferenceFault;

function ofTrigger(
  reference: string,
  [property = '', ...inner]: string[],
  { triggers }: RunKnowledge,
  fault: Fail,
): FieldType | ReferenceFault {
  let type: FieldType | undefined;
  for (const { name, fields } of triggers) {
    const kind = Object.hasOwn(fields, property) ? fields[property] : undefined;
    if (kind === undefined) {
      const words = Object.entries(fields).flatMap(([each, of]) => (typeof of === 'string' ? [each] : []));
      const remedy = suggest(property, words);
      return fault(
        property === '' ? `${quote(reference)} names no property.` : `"${property}" is no property of ${name}.`,
        remedy ?? (words.length === 0 ? 'It brings none.' : `Known: ${words.map((word) => `"${word}"`).join(', ')}.`),
      );
    }
    if (typeof kind === 'object') {
      return fault(
        `${quote(reference)} is a list of lines, and not one value.`,
        'For a run for each line say "each": "products" in "when", and "@product.id".',
      );
    }
    if (inner.length > 0) return fault(`${quote(reference)} has nothing inside.`, `Write "@trigger.${property}".`);
    type ??= kind;
  }
  // Of a trigger that is at fault itself nothing is claimed.
  return type ?? 'text';
}

function ofContact(
  reference: string,
  field: string,
  run: RunKnowledge,
  { attributes }: Vocabulary,
  fault: Fail,
): FieldType | ReferenceFault {
  if (run.contact !== true) {
    return fault(
      `${quote(reference)} is known only in the "with" of "notify".`,
      'A rule asks of the contact by "has": {"has": {"country": "PL"}}.',
    );
  }
  const type = attributeType(field, { attributes });
  if (type !== undefined && field !== 'running') return type;
  const near = suggest(field, [...Object.keys(attributes), ...Object.keys(derivedAttributes)]);
  return fault(
    `the contact has no attribute "${field}".`,
    near?.startsWith('Did') ? near : 'Attributes of your own are declared in fields.json.',
  );
}
