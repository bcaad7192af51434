// Checks the variants of e-mails: every language has them, they say something else, and some campaign shows them.

import { eachStep } from './campaign-parts.ts';
import { canonical } from './canonical.ts';
import { type Draft, type EmailDraft, type Texts, variantsOf } from './draft.ts';
import { type Fault, sayPath, suggest } from './fault.ts';

/** Faults and warnings of all variants. */
export function checkVariants(draft: Draft): { faults: Fault[]; warnings: Fault[] } {
  const faults = Object.entries(draft.emails).flatMap(([name, email]) => faultsOfTexts(name, email, draft));
  const warnings: Fault[] = [];
  for (const [name, { variants }] of Object.entries(draft.emails)) {
    const named = namedBy(name, draft);
    for (const [variant, locales] of Object.entries(variants)) {
      if (named.has(variant)) continue;
      const near = suggest(variant, named);
      warnings.push({
        code: 'email.variant',
        file: `emails/${name}/${draft.settings.locales.find((locale) => Object.hasOwn(locales, locale))}.json`,
        path: sayPath(['variants', variant]),
        message: 'is named by no campaign.',
        ...(near === undefined ? {} : { remedy: near }),
      });
    }
  }
  return faults.length > 0 ? { faults, warnings } : { faults: twins(draft), warnings };
}

/** Every variant that some campaign names for an e-mail. */
function namedBy(name: string, { campaigns }: Draft): Set<string> {
  const steps = Object.values(campaigns).flatMap((campaign) => eachStep(campaign.steps));
  return new Set(steps.flatMap(({ step }) => ('send' in step && step.send === name ? variantsOf(step) : [])));
}

function faultsOfTexts(name: string, { texts, variants }: EmailDraft, { settings, shared }: Draft): Fault[] {
  const faults: Fault[] = [];
  const add = (locale: string, path: string[], message: string, remedy: string | undefined): void => {
    const file = `emails/${name}/${locale}.json`;
    faults.push({
      code: 'email.variant',
      file,
      path: sayPath(path),
      message,
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
  for (const [variant, locales] of Object.entries(variants)) {
    const there = settings.locales.find((locale) => Object.hasOwn(locales, locale));
    for (const locale of settings.locales) {
      if (!Object.hasOwn(locales, locale)) {
        const message = `is missing, and ${there}.json has it.`;
        add(locale, ['variants', variant], message, `Translate the variant "${variant}".`);
        continue;
      }
      const known = Object.keys({ ...shared[locale], ...texts[locale] });
      for (const key of Object.keys(locales[locale] ?? {})) {
        if (known.includes(key)) continue;
        add(locale, ['variants', variant, key], 'is no text of this e-mail.', suggest(key, known));
      }
    }
  }
  return faults;
}

/** Variants of one "send" between which nobody could tell a difference. */
function twins({ campaigns, emails, shared }: Draft): Fault[] {
  const faults: Fault[] = [];
  for (const [id, { steps }] of Object.entries(campaigns)) {
    for (const { step, path } of eachStep(steps, ['steps'])) {
      if (!('send' in step) || !Object.hasOwn(emails, step.send)) continue;
      const email = emails[step.send] as EmailDraft;
      const said = new Map<string, string>();
      for (const variant of variantsOf(step)) {
        const meaning = whatIsOther(email, shared, variant);
        const twin = said.get(meaning);
        if (twin === undefined) said.set(meaning, variant);
        else {
          faults.push({
            code: 'campaign.variants',
            file: `campaigns/${id}.json`,
            path: sayPath([...path, ...(step.test === undefined ? ['variants'] : ['test', 'variants'])]),
            message: `the variants "${twin}" and "${variant}" of the e-mail "${step.send}" say the same.`,
            remedy: `Write what "${variant}" says in another way: "variants": {"${variant}": {"subject": "…"}} in emails/${step.send}/.`,
          });
        }
      }
    }
  }
  return faults;
}

/** What a variant says that the e-mail does not, in all languages. */
function whatIsOther({ texts, variants }: EmailDraft, shared: Draft['shared'], variant: string): string {
  const locales = Object.hasOwn(variants, variant) ? variants[variant] : undefined;
  const other = Object.entries(locales ?? {}).map(([locale, over]): [string, Texts] => {
    const own: Texts = { ...shared[locale], ...texts[locale] };
    return [
      locale,
      Object.fromEntries(Object.entries(over).filter(([key, text]) => canonical(text) !== canonical(own[key]))),
    ];
  });
  return canonical(Object.fromEntries(other.filter(([, over]) => Object.keys(over).length > 0)));
}
