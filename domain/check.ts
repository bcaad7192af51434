// Checks a whole folder of templates, files in, draft or faults out: nothing unknown gets past it.
import { allSegments, segmentOrder } from './book.ts';
import { checkCampaign, checkPools } from './check-campaigns.ts';
import { checkCatalogue } from './check-catalogue.ts';
import { checkCircles } from './check-circles.ts';
import { RuleLogic } from './check-logic.ts';
import { days, RuleCheck } from './check-rules.ts';
import { checkSettings } from './check-settings.ts';
import { longWaits } from './check-steps.ts';
import { checkReach, checkTierRules, circleOfTiers } from './check-tiers.ts';
import { type Draft, sendsOf, type TemplateFiles } from './draft.ts';
import { type Fault, sayPath } from './fault.ts';
import { TemplateReader } from './template-files.ts';
import { tierOf } from './tiers.ts';
import { vocabularyOf } from './vocabulary.ts';

export type Checked = { draft: Draft; warnings: Fault[] } | { faults: Fault[]; warnings: Fault[] };

const MOST_DAYS = 3650;

/**
 * Reads and cross-checks all templates. Any fault refuses the whole; all faults that can be known are listed at once,
 * each naming its file and place. Warnings refuse nothing. Pure: no file system, no clock.
 */
export function checkTemplates(files: TemplateFiles): Checked {
  return new TemplateCheck(files).check();
}

class TemplateCheck {
  readonly #files: TemplateFiles;
  readonly #faults: Fault[] = [];
  readonly #warnings: Fault[] = [];
  /** Absent where segments are at fault: what rules mean is then not asked. */
  #logic: RuleLogic | undefined;

  constructor(files: TemplateFiles) {
    this.#files = files;
  }

  #fault(code: string, file: string, path: string, message: string, remedy?: string): void {
    this.#faults.push({ code, file, path, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  #warn(code: string, file: string, path: string, message: string, remedy?: string): void {
    this.#warnings.push({ code, file, path, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  check(): Checked {
    const reader = new TemplateReader(this.#files);
    const read = reader.read();
    this.#faults.push(...reader.faults);
    if (read === undefined) return { faults: inOrder(this.#faults), warnings: [] };
    const { settings, fields, catalogue, coupons, loyalty, segments, campaigns, people, ...rest } = read;
    const vocabulary = {
      ...vocabularyOf(fields ?? {}, settings, segments.names, campaigns.names),
      ...(loyalty !== undefined && { tiers: new Set(loyalty.tiers.map(({ id }) => id)) }),
    };
    const draft: Draft = {
      settings,
      fields: fields ?? {},
      catalogue: catalogue ?? { products: {} },
      coupons: coupons ?? { pools: {} },
      ...(loyalty !== undefined && { loyalty }),
      segments: segments.read,
      campaigns: campaigns.read,
      people: people.read,
      vocabulary,
      ...rest,
    };
    const ofSettings = checkSettings(settings);
    this.#faults.push(...ofSettings.faults);
    this.#warnings.push(...ofSettings.warnings);
    this.#fields(draft);
    if (catalogue !== undefined) {
      this.#faults.push(...checkCatalogue(catalogue, 'catalogue.json'));
      this.#durations(catalogue, 'catalogue.json');
    }
    // Without what fields.json declares, rules and people would be blamed for its fault.
    if (fields !== undefined) {
      this.#segments(draft);
      for (const [id, campaign] of Object.entries(draft.campaigns)) {
        this.#take(checkCampaign(id, campaign, draft, this.#logic));
        this.#durations(campaign, `campaigns/${id}.json`);
      }
      this.#faults.push(...checkCircles(draft, this.#logic));
      for (const { path, message, remedy } of longWaits(draft)) {
        this.#fault('campaign.wait', 'catalogue.json', path, message, remedy);
      }
      if (catalogue !== undefined) this.#people(draft);
    }
    if (coupons !== undefined) this.#warnings.push(...checkPools(draft));
    this.#unused(draft);
    this.#engaged(draft);
    const faults = inOrder(this.#faults);
    return faults.length > 0 ? { faults, warnings: this.#warnings } : { draft, warnings: this.#warnings };
  }

  #fields({ fields }: Draft): void {
    const file = 'fields.json';
    const builtin = vocabularyOf({}, { topics: {} }, [], []);
    const check = new RuleCheck(builtin, file);
    for (const [name, type] of Object.entries(fields.attributes ?? {})) {
      const known = check.attributeType(name);
      if (known !== undefined && (known !== type || name.includes('.'))) {
        this.#fault(
          'fields.builtin',
          file,
          sayPath(['attributes', name]),
          `"${name}" is built in, as ${known}.`,
          'Take it out, or choose another name.',
        );
      }
    }
    for (const [event, properties] of Object.entries(fields.events ?? {})) {
      const known = Object.hasOwn(builtin.events, event) ? builtin.events[event] : undefined;
      for (const [name, type] of Object.entries(properties)) {
        const is = known !== undefined && Object.hasOwn(known, name) ? known[name] : undefined;
        if (is !== undefined && is !== type) {
          this.#fault(
            'fields.builtin',
            file,
            sayPath(['events', event, name]),
            `"${name}" of "${event}" is built in, as ${typeof is === 'string' ? is : 'a list of lines'}.`,
            'Take it out, or choose another name.',
          );
        }
      }
    }
  }

  #segments(draft: Draft): void {
    for (const [id, segment] of Object.entries(draft.segments)) {
      const file = `segments/${id}.json`;
      const check = new RuleCheck(draft.vocabulary, file);
      check.rule(segment.rule, ['rule']);
      this.#take(check);
      this.#durations(segment, file);
    }
    this.#take(checkTierRules(draft));
    this.#durations(draft.loyalty, 'loyalty.json');
    try {
      const twice = this.#faults.some(({ code }) => code === 'loyalty.twice');
      segmentOrder(allSegments(draft.segments, twice ? undefined : draft.loyalty));
      this.#logic = this.#logicOf(draft);
      const sound = !this.#faults.some(({ file }) => file === 'loyalty.json');
      if (this.#logic !== undefined && sound) this.#take(checkReach(draft, this.#logic));
    } catch (error) {
      const circle = /: (.*)$/.exec((error as Error).message)?.[1] ?? '';
      const tier = circle.split(' → ').flatMap((id) => tierOf(id) ?? [])[0];
      if (tier !== undefined) {
        this.#faults.push(circleOfTiers(draft, tier, circle));
        return;
      }
      this.#fault(
        'segment.circle',
        `segments/${circle.split(' → ')[0]}.json`,
        'rule',
        `segments read each other in a circle: ${circle}.`,
        'Write one of them without the others.',
      );
    }
  }

  /** What segments mean is asked once every name and type in them fits, and none reads itself. */
  #logicOf(draft: Draft): RuleLogic | undefined {
    const wrong = (id: string): boolean => this.#faults.some(({ file }) => file === `segments/${id}.json`);
    if (draft.vocabulary.segments.size > Object.keys(draft.segments).length) return undefined;
    if (Object.keys(draft.segments).some(wrong)) return undefined;
    const names = new RuleCheck(draft.vocabulary, '');
    const logic = new RuleLogic((name) => names.attributeType(name), draft.segments);
    for (const [id, { rule }] of Object.entries(draft.segments)) logic.rule(rule, `segments/${id}.json`, ['rule']);
    logic.twins();
    this.#faults.push(...logic.faults.splice(0));
    this.#warnings.push(...logic.warnings.splice(0));
    return logic;
  }

  #take(check: Pick<RuleCheck, 'faults' | 'warnings'>): void {
    this.#faults.push(...check.faults);
    this.#warnings.push(...check.warnings);
  }

  /** Durations of more than ten years, wherever they stand. */
  #durations(value: unknown, file: string, path: (string | number)[] = []): void {
    if (Array.isArray(value)) {
      value.forEach((each, index) => {
        this.#durations(each, file, [...path, index]);
      });
    } else if (value !== null && typeof value === 'object') {
      for (const [key, each] of Object.entries(value)) this.#durations(each, file, [...path, key]);
    } else if (typeof value === 'string' && DURATIONS.has(String(path.at(-1)))) {
      const duration = /^(?:after |wait )?([1-9]\d{0,5}[mhdw])$/.exec(value)?.[1];
      if (duration !== undefined && days(duration) > MOST_DAYS) {
        this.#fault(
          'rule.duration',
          file,
          sayPath(path),
          `"${value}" is more than ten years.`,
          'At most 3650d. Leave the period out to mean ever.',
        );
      }
    }
  }

  #people({ people, catalogue, vocabulary }: Draft): void {
    for (const [name, person] of Object.entries(people)) {
      const file = `people/${name}.json`;
      const check = new RuleCheck(vocabulary, file);
      const ids = Object.keys(catalogue.products);
      person.bought?.forEach((id, index) => {
        check.name('reference.product', 'product', id, ids, ['bought', index]);
      });
      person.cart?.forEach((id, index) => {
        check.name('reference.product', 'product', id, ids, ['cart', index]);
      });
      for (const event of Object.keys(person.events ?? {})) {
        check.name('reference.event', 'event', event, Object.keys(vocabulary.events), ['events', event]);
      }
      for (const attribute of Object.keys(person.attributes)) {
        check.name('reference.attribute', 'attribute', attribute, Object.keys(vocabulary.attributes), [
          'attributes',
          attribute,
        ]);
      }
      this.#take(check);
    }
  }

  /** Clicks stay on a contact only where a rule reads them, and a warm-up then counts them as engagement. */
  #engaged({ settings, segments, campaigns, loyalty }: Draft): void {
    if (JSON.stringify([segments, campaigns, loyalty]).includes('"Email Clicked"')) return;
    for (const [domain, plan] of Object.entries(settings.warmUp ?? {})) {
      if (plan.days.every(({ engaged }) => engaged === undefined)) continue;
      this.#warn(
        'settings.warm-up',
        'settings.json',
        sayPath(['warmUp', domain]),
        'asks who clicked, and no rule reads "Email Clicked": only purchases and consents count as engaged.',
        'Add a segment that reads it: {"did": "Email Clicked", "inLast": "90d"}.',
      );
    }
  }

  #unused(draft: Draft): void {
    const sent = new Set(
      Object.values(draft.campaigns).flatMap((campaign) => sendsOf(campaign.steps).map(({ send }) => send)),
    );
    for (const name of Object.keys(draft.emails)) {
      if (!sent.has(name)) this.#warn('email.unsent', `emails/${name}/layout.mjml`, '', 'is sent by no campaign.');
    }
    if (Object.keys(draft.people).length === 0) {
      this.#warn(
        'people.none',
        'people',
        '',
        'holds nobody: e-mails are tried only with somebody of whom nothing is known.',
        'Add a test person.',
      );
    }
  }
}

const DURATIONS = new Set([
  'inLast',
  'inNext',
  'moreThanAgo',
  'wait',
  'upTo',
  'within',
  'triggerAge',
  'expires',
  'again',
  'ifCapped',
  'replaceAfter',
]);

/** By file as a person would read the folder, then as found. */
function inOrder(faults: Fault[]): Fault[] {
  return faults
    .map((fault, index) => ({ fault, index }))
    .sort((a, b) => (a.fault.file ?? '').localeCompare(b.fault.file ?? '', 'en') || a.index - b.index)
    .map(({ fault }) => fault);
}
