// The JSON Schemas for editors are those of this release, and every template names its own.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaFiles } from '../../cli/schemas.ts';
import { readTemplates } from '../../cli/templates-folder.ts';
import { TEMPLATES as FOLDER } from '../../cli/validate.ts';
import { Again, Aim, Campaign, Kind, Step, Success, Wait, When } from '../../domain/campaign-grammar.ts';

describe('templates/schemas', () => {
  it('is up to date: run "npx kairos schemas" when this fails', () => {
    const made = schemaFiles();
    expect(readdirSync(path.join(FOLDER, 'schemas')).sort()).toEqual(Object.keys(made).sort());
    for (const [name, text] of Object.entries(made)) {
      expect(readFileSync(path.join(FOLDER, 'schemas', name), 'utf8')).toBe(text);
    }
  });

  it('is named by every JSON template, by a path that leads there', async () => {
    for (const [file, text] of await readTemplates(FOLDER)) {
      if (!file.endsWith('.json')) continue;
      const named = (JSON.parse(text) as { $schema?: string }).$schema;
      expect([file, named]).toEqual([file, expect.stringMatching(/schemas\/[a-z-]+\.json$/)]);
      expect([file, existsSync(path.join(FOLDER, path.dirname(file), named!))]).toEqual([file, true]);
    }
  });
});

interface Node {
  description?: string;
  $ref?: string;
  allOf?: Node[];
  properties?: Record<string, Node>;
  [key: string]: unknown;
}

/** Every property of the schema that neither says what it is nor refers to something that does. */
function unexplained(schema: Node): string[] {
  const definitions = (schema.definitions ?? {}) as Record<string, Node>;
  const found: string[] = [];
  const walk = (node: unknown, at: string): void => {
    if (node === null || typeof node !== 'object') return;
    for (const [name, property] of Object.entries((node as Node).properties ?? {})) {
      const reference = property.$ref ?? property.allOf?.[0]?.$ref;
      const meant = reference === undefined ? property : definitions[reference.replace('#/definitions/', '')];
      if ((property.description ?? meant?.description ?? '') === '') found.push(`${at}.${name}`);
    }
    for (const [key, value] of Object.entries(node)) walk(value, `${at}/${key}`);
  };
  walk(schema, '');
  return found;
}

describe('the schema of segments', () => {
  const schema = JSON.parse(schemaFiles()['segment.json']!) as Node;
  const definitions = schema.definitions as Record<string, Node>;

  it('explains every key', () => {
    expect(unexplained(schema)).toEqual([]);
  });

  it('shows by an example what each definition means', () => {
    const without = Object.entries(definitions).filter(([, each]) => !Array.isArray(each.examples));
    expect(without.map(([name]) => name)).toEqual([]);
  });

  it('completes the names of attributes and events that every shop has', () => {
    const has = definitions.Has?.properties?.has?.properties ?? {};
    expect(has['orders.count']?.description).toBe('the number of orders: a number');
    expect(has['loyalty.tier']?.description).toBe('the loyalty tier: a text');
    expect(Object.keys(has)).toEqual(expect.arrayContaining(['birthday', 'rfm.money', 'service.openCases']));
    const names = JSON.stringify(definitions.Did?.properties?.did);
    for (const name of ['Order Completed', 'Case Opened', 'Email Clicked']) expect(names).toContain(`"${name}"`);
  });
});

/** Every property, but for the names of properties of events, without an example of its own, of what it refers to, or a constant. */
function unshown(schema: Node): string[] {
  const definitions = (schema.definitions ?? {}) as Record<string, Node>;
  const found: string[] = [];
  const walk = (node: unknown, at: string): void => {
    if (node === null || typeof node !== 'object') return;
    for (const [name, property] of Object.entries((node as Node).properties ?? {})) {
      const reference = property.$ref ?? property.allOf?.[0]?.$ref;
      const meant = reference === undefined ? property : definitions[reference.replace('#/definitions/', '')];
      const shown = Array.isArray(property.examples) || Array.isArray(meant?.examples) || 'const' in property;
      if (!shown && name !== '$schema') found.push(`${at}.${name}`);
    }
    for (const [key, value] of Object.entries(node)) if (key !== 'Where') walk(value, `${at}/${key}`);
  };
  walk(schema, '');
  return found;
}

describe('the schema of campaigns', () => {
  const schema = JSON.parse(schemaFiles()['campaign.json']!) as Node;
  const definitions = schema.definitions as Record<string, Node>;

  it('explains every key', () => {
    expect(unexplained(schema)).toEqual([]);
  });

  it('shows every key, and what each definition means, by an example', () => {
    expect(unshown(schema)).toEqual([]);
    expect(
      Object.entries(definitions)
        .filter(([, each]) => !Array.isArray(each.examples))
        .map(([name]) => name),
    ).toEqual([]);
  });

  it('completes names wherever they stand: events of starts, successes and watchers, attributes that change, dates', () => {
    const forms = definitions.When?.anyOf as Node[];
    const named = (form: string): string =>
      JSON.stringify(forms.find(({ properties }) => properties?.[form] !== undefined)?.properties?.[form]);
    expect(named('did')).toContain('"Back In Stock Requested"');
    expect(named('watchedBy')).toContain('"Back In Stock Requested"');
    expect(JSON.stringify(definitions.Success)).toContain('"Referral Converted"');
    expect(named('changes')).toContain('"loyalty.tier"');
    expect(named('changes')).not.toContain('rhythm.overdue');
    expect(named('date')).toContain('"birthday"');
    expect(named('date')).not.toContain('"country"');
  });

  it('has examples that are themselves right', () => {
    const wrong: string[] = [];
    const parts = { When, Step, Success, Again, Kind, Aim, Wait };
    for (const [name, part] of Object.entries(parts)) {
      const { examples = [] } = part.meta() as { examples?: unknown[] };
      for (const example of examples)
        if (!part.safeParse(example).success) wrong.push(`${name} ${JSON.stringify(example)}`);
    }
    const { shape } = Campaign;
    for (const [key, part] of Object.entries(shape)) {
      const { examples = [] } = (part.meta() ?? {}) as { examples?: unknown[] };
      for (const example of examples)
        if (!part.safeParse(example).success) wrong.push(`${key} ${JSON.stringify(example)}`);
    }
    expect(wrong).toEqual([]);
    expect(Campaign.safeParse((Campaign.meta() as { examples: unknown[] }).examples[0]).success).toBe(true);
  });
});

// A validator that came with the infrastructure's tools, and that shares nothing with the one that publishing uses.
type Validate = (value: unknown, schema: unknown, options: { base: string }) => { errors: { stack: string }[] };
let validate: Validate | undefined;
try {
  const tools = createRequire(import.meta.resolve('aws-cdk-lib/package.json'));
  validate = (tools('jsonschema') as { validate: Validate }).validate;
} catch {
  console.warn('skipped: there is no independent validator of JSON Schema here');
}

describe.skipIf(validate === undefined)('an independent validator', () => {
  const files = schemaFiles();
  const errors = (name: string, value: unknown): string[] =>
    (validate as Validate)(value, JSON.parse(files[name]!), { base: 'https://schemas.example/' }).errors.map(
      ({ stack }) => stack,
    );
  const words = JSON.parse(readFileSync(new URL('../cases/rule-words.json', import.meta.url), 'utf8')) as {
    name: string;
    rule: object;
  }[];

  it('accepts every rule that can be said in words', () => {
    expect(words.length).toBeGreaterThan(60);
    expect(words.flatMap(({ name, rule }) => errors('segment.json', { rule }).map((error) => [name, error]))).toEqual(
      [],
    );
  });

  it('accepts the ready-made segments and campaigns', async () => {
    for (const [file, text] of await readTemplates(FOLDER)) {
      const name = /^(segment|campaign)s\//.exec(file)?.[1];
      if (name !== undefined) expect([file, errors(`${name}.json`, JSON.parse(text))]).toEqual([file, []]);
    }
  });

  it.each([
    ['a misspelt operator', { has: { 'orders.count': { atLest: 3 } } }],
    ['two operators', { has: { 'orders.count': { atLeast: 3, atMost: 5 } } }],
    ['two subjects', { segment: 'vip', consent: 'offers' }],
    ['an empty group', { all: [] }],
    ['never as zero times', { did: 'Order Completed', times: 0 }],
    ['a calendar word that does not exist', { did: 'Order Completed', in: 'this weak' }],
    ['a duration in words', { did: 'Order Completed', inLast: '60 days' }],
    ['a date of another kind', { did: 'Order Completed', between: ['20.11.2026', '30.11.2026'] }],
    ['a share with one bound', { share: 'spring-test', percent: [10] }],
    ['an anniversary on another day', { has: { birthday: { anniversary: 'tomorrow' } } }],
  ])('refuses %s', (_, rule) => {
    expect(errors('segment.json', { rule })).not.toEqual([]);
  });

  const campaign = (more: object): object => ({
    kind: 'marketing',
    aim: 'retention',
    topic: 'offers',
    sender: 'main',
    when: { enters: 'vip' },
    again: 'never',
    steps: [{ send: 'welcome' }],
    ...more,
  });

  it('accepts every form of "when" and every step', () => {
    const to = { segment: 'vip' };
    const watchedBy = { did: 'Product Viewed', inLast: '30d' };
    const whens = [
      { did: 'Order Completed', each: 'products' },
      { leaves: 'vip' },
      { changes: 'loyalty.tier', from: ['none', 'silver'], to: 'gold' },
      { changes: 'wonBack' },
      { date: 'birthday', before: '3d', at: '09:00' },
      { due: 'replenishment', where: { products: { 'catalogue.consumable': true } } },
      { product: 'low stock', by: { atMost: 5 }, watchedBy },
      { at: '2026-11-27 08:00', clock: 'contact', to },
      { every: 'month 1 10:00', clock: 'shop', to },
    ];
    const steps = [
      { wait: { until: 'tuesday 10:00' } },
      { send: 'a', coupon: 'BACK10', needs: { 'product.inStock': true }, variants: { a: 50, b: 50 } },
      { waitFor: to, upTo: '7d', else: [{ stop: 'x' }] },
      { if: to, then: [{ split: { a: 50, b: 50 }, a: [{ stop: 'x' }], b: [{ set: { wonBack: true } }] }] },
      { notify: 'Call Wanted', with: { phone: '@contact.phone' } },
      { rest: 'offers', until: { did: 'Order Completed' }, why: 'unengaged' },
    ];
    for (const when of whens) expect([when, errors('campaign.json', campaign({ when }))]).toEqual([when, []]);
    for (const step of steps) expect([step, errors('campaign.json', campaign({ steps: [step] }))]).toEqual([step, []]);
  });

  it.each([
    ['two forms of "when"', { when: { enters: 'vip', leaves: 'vip' } }],
    ['a broadcast without a clock', { when: { at: '2026-11-27 08:00', to: { segment: 'vip' } } }],
    ['a step that is two', { steps: [{ wait: '1h', send: 'a' }] }],
    ['a misspelt step', { steps: [{ sned: 'a' }] }],
    ['a misspelt step in a branch', { steps: [{ if: { segment: 'vip' }, then: [{ sned: 'a' }] }] }],
    ['no steps', { steps: [] }],
    ['"again" in other words', { again: 'sometimes' }],
    ['a misspelt key', { holdput: 10 }],
  ])('refuses %s', (_, more) => {
    expect(errors('campaign.json', campaign(more))).not.toEqual([]);
  });
});
