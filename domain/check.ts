// Checks a whole folder of templates, files in, draft or faults out: nothing unknown gets past it.
import { rulesOf, segmentOrder } from './book.ts';
import type { Campaign, Step } from './campaign-grammar.ts';
import { checkKind } from './check-kinds.ts';
import { RuleLogic } from './check-logic.ts';
import { checkCatalogue, days, RuleCheck, type RunKnowledge, vocabularyOf } from './check-rules.ts';
import { checkSettings } from './check-settings.ts';
import { type Draft, sendsOf, type TemplateFiles } from './draft.ts';
import { type Fault, sayPath, suggest } from './fault.ts';
import { TemplateReader } from './template-files.ts';
import { domainOf } from './warm-up.ts';

export type Checked = { draft: Draft; warnings: Fault[] } | { faults: Fault[]; warnings: Fault[] };

const MOST_DAYS = 3650;
const MOST_WAIT_DAYS = 730;

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
    const { settings, fields, catalogue, coupons, segments, campaigns, people, ...rest } = read;
    const vocabulary = vocabularyOf(fields ?? {}, settings, segments.names, campaigns.names);
    const draft: Draft = {
      settings,
      fields: fields ?? {},
      catalogue: catalogue ?? { products: {} },
      coupons: coupons ?? { pools: {} },
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
      for (const [id, campaign] of Object.entries(draft.campaigns)) this.#campaign(id, campaign, draft);
      if (catalogue !== undefined) this.#people(draft);
    }
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
    try {
      segmentOrder(draft.segments);
      this.#logic = this.#logicOf(draft);
    } catch (error) {
      const circle = /: (.*)$/.exec((error as Error).message)?.[1] ?? '';
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

  #take(check: RuleCheck): void {
    this.#faults.push(...check.faults);
    this.#warnings.push(...check.warnings);
  }

  #campaign(id: string, campaign: Campaign, draft: Draft): void {
    const file = `campaigns/${id}.json`;
    const { settings, vocabulary } = draft;
    const { when } = campaign;
    const trigger = 'did' in when ? [when.did].flat().filter((name) => Object.hasOwn(vocabulary.events, name)) : [];
    const every = (property: string): boolean =>
      trigger.length > 0 && trigger.every((name) => Object.hasOwn(vocabulary.events[name] ?? {}, property));
    const each = 'did' in when && when.each !== undefined;
    const run: RunKnowledge = { trigger, product: each || every('product_id') };
    const check = new RuleCheck(vocabulary, file, run);
    if (campaign.topic !== undefined)
      check.name('reference.topic', 'topic', campaign.topic, Object.keys(settings.topics), ['topic']);
    check.name('reference.sender', 'sender', campaign.sender, Object.keys(settings.senders), ['sender']);
    if ('enters' in when) {
      check.name('reference.segment', 'segment', when.enters, vocabulary.segments, ['when', 'enters']);
      if (campaign.triggerAge !== undefined) {
        check.fault(
          'campaign.trigger-age',
          ['triggerAge'],
          'belongs to campaigns that start with an event.',
          'Take it out.',
        );
      }
    } else if ('did' in when) {
      // What starts a run is asked before there is one.
      const before = new RuleCheck(vocabulary, file);
      before.did(when, ['when']);
      this.#take(before);
      if (
        each &&
        trigger.length > 0 &&
        !trigger.every((name) => typeof vocabulary.events[name]?.products === 'object')
      ) {
        check.fault(
          'campaign.each',
          ['when', 'each'],
          `not every event of "did" has lines of products.`,
          'Use "each" with events of orders.',
        );
      }
    }
    if (campaign.again === 'once per product' && !run.product) {
      check.fault(
        'campaign.again',
        ['again'],
        '"once per product" needs a product, and this campaign has none.',
        'Say "each": "products" in "when", or choose "after 30d".',
      );
    }
    if (campaign.again === 'once per order' && !every('order_id')) {
      check.fault(
        'campaign.again',
        ['again'],
        '"once per order" needs an event with an order_id.',
        'Choose "never", "every time" or "after 30d".',
      );
    }
    if (campaign.for !== undefined) check.rule(campaign.for, ['for']);
    if (campaign.stopIf !== undefined) check.rule(campaign.stopIf, ['stopIf']);
    if (campaign.success !== undefined) check.did(campaign.success, ['success']);
    if (campaign.starts !== undefined && campaign.ends !== undefined && campaign.starts > campaign.ends) {
      check.fault(
        'campaign.dates',
        ['ends'],
        `"${campaign.ends}" is before the start, "${campaign.starts}".`,
        'Exchange them.',
      );
    }
    this.#steps(campaign.steps, ['steps'], check, draft);
    checkKind(campaign, check, draft);
    if (!sendsOf(campaign.steps).length) check.warn('campaign.silent', ['steps'], 'send nothing.');
    this.#planned(campaign, settings, check);
    this.#take(check);
    this.#durations(campaign, file);
    if (this.#logic !== undefined && check.faults.length === 0) {
      for (const { rule, path } of rulesOf(campaign)) this.#logic.rule(rule, file, path);
      this.#faults.push(...this.#logic.faults.splice(0));
      this.#warnings.push(...this.#logic.warnings.splice(0));
    }
  }

  /** A plan that the warm-up of its domain cannot keep. */
  #planned({ plannedPerDay, sender, kind }: Campaign, { senders, warmUp }: Draft['settings'], check: RuleCheck): void {
    const domain = Object.hasOwn(senders, sender) ? domainOf(senders[sender]!.from) : undefined;
    if (plannedPerDay === undefined || kind !== 'marketing' || domain === undefined) return;
    const plan = warmUp !== undefined && Object.hasOwn(warmUp, domain) ? warmUp[domain] : undefined;
    const most = plan?.days.at(-1)?.most;
    if (most === undefined || plannedPerDay <= most) return;
    check.warn(
      'campaign.planned',
      ['plannedPerDay'],
      `${plannedPerDay} a day are meant, and the warm-up of ${domain} lets at most ${most} go on its last day.`,
      'Until the plan has ended the rest waits. Start the campaign later ("starts"), or lengthen the plan.',
    );
  }

  #steps(steps: Step[], path: (string | number)[], check: RuleCheck, draft: Draft): void {
    steps.forEach((step, index) => {
      const at = [...path, index];
      if ('stop' in step && index < steps.length - 1) {
        check.fault(
          'campaign.unreachable',
          [...path, index + 1],
          'is never reached: the step before it stops.',
          'Take it out, or move "stop" to the end.',
        );
      } else if ('wait' in step) {
        if (step.wait === '@product.replaceAfter') {
          check.reference('@product.replaceAfter', [...at, 'wait']);
          for (const [id, { replaceAfter }] of Object.entries(draft.catalogue.products)) {
            if (replaceAfter !== undefined)
              this.#wait(replaceAfter, 'catalogue.json', ['products', id, 'replaceAfter']);
          }
        } else if (typeof step.wait === 'string') this.#wait(step.wait, check, [...at, 'wait']);
      } else if ('send' in step) {
        check.name('reference.email', 'e-mail', step.send, Object.keys(draft.emails), [...at, 'send']);
        if (step.unless !== undefined) check.rule(step.unless, [...at, 'unless']);
        if (step.needs !== undefined) this.#needs(step.needs, [...at, 'needs'], check);
      } else if ('if' in step || 'waitFor' in step) {
        if ('if' in step) check.rule(step.if, [...at, 'if']);
        else {
          check.rule(step.waitFor, [...at, 'waitFor']);
          this.#wait(step.upTo, check, [...at, 'upTo']);
        }
        if (step.then !== undefined) this.#steps(step.then, [...at, 'then'], check, draft);
        if (step.else !== undefined) this.#steps(step.else, [...at, 'else'], check, draft);
      }
    });
  }

  #wait(duration: string, where: RuleCheck | string, path: (string | number)[]): void {
    if (days(duration) <= MOST_WAIT_DAYS || days(duration) > MOST_DAYS) return;
    const file = typeof where === 'string' ? where : '';
    const message = `"${duration}" is a wait of more than two years.`;
    const remedy = 'Wait at most 730d.';
    if (typeof where !== 'string') where.fault('campaign.wait', path, message, remedy);
    else if (!this.#faults.some((fault) => fault.file === file && fault.path === sayPath(path))) {
      this.#fault('campaign.wait', file, sayPath(path), message, remedy);
    }
  }

  #needs(needs: Record<string, unknown>, path: (string | number)[], check: RuleCheck): void {
    const fields: Record<string, 'text' | 'number' | 'money' | 'boolean' | 'list'> = {
      recommendations: 'number',
      'product.name': 'text',
      'product.category': 'text',
      'product.brand': 'text',
      'product.price': 'money',
      'product.margin': 'number',
      'product.url': 'text',
      'product.imageUrl': 'text',
      'product.upgrade': 'text',
      'product.replaceAfter': 'text',
      'product.consumable': 'boolean',
      'product.complements': 'list',
    };
    for (const [name, comparison] of Object.entries(needs)) {
      const type = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (type === undefined) {
        check.fault(
          'reference.need',
          path,
          `"${name}" is nothing that an e-mail can need.`,
          suggest(name, Object.keys(fields)),
        );
        continue;
      }
      check.comparison(name, type, comparison as never, [...path, name]);
    }
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
  #engaged({ settings, segments, campaigns }: Draft): void {
    if (JSON.stringify([segments, campaigns]).includes('"Email Clicked"')) return;
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
