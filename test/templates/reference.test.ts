// docs/campaigns.md: each of its examples passes the check without a warning, and none of the grammar is left out.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { Again, Campaign, STEP_NAMES, Step, Test, When } from '../../domain/campaign-grammar.ts';
import { checkTemplates } from '../../domain/check.ts';
import { sendsOf } from '../../domain/draft.ts';
import { sayFault } from '../../domain/fault.ts';
import { committed } from './edit.ts';

const page = readFileSync(new URL('../../docs/campaigns.md', import.meta.url), 'utf8');
type Json = Record<string, unknown>;
const examples = [...page.matchAll(/<!-- example: (\w+) -->\n```json\n([\s\S]*?)```/g)].map(
  ([, kind = '', text = '']) => ({ kind, text, value: JSON.parse(text) as Json }),
);

/** A campaign with a product and an order, in which an example stands. */
const BASE: Json = {
  kind: 'marketing',
  aim: 'retention',
  topic: 'offers',
  sender: 'main',
  when: { did: 'Order Completed', each: 'products' },
  again: 'every time',
  steps: [{ wait: '1h' }, { send: 'welcome' }],
  success: { did: 'Order Completed', within: '14d' },
};
const SEGMENTS: Record<string, object> = {
  'not-won-back': { rule: { all: [{ segment: 'vip' }, { not: { has: { wonBack: true } } }] } },
};

function campaignOf({ kind, value }: (typeof examples)[number]): Json {
  if (kind === 'when') return { ...BASE, when: value };
  return kind === 'steps' ? { ...BASE, steps: value } : { ...BASE, ...value };
}

async function toldOf(one: Json): Promise<string[]> {
  const files = new Map(await committed());
  files.set('campaigns/example.json', JSON.stringify(one));
  for (const [id, segment] of Object.entries(SEGMENTS)) files.set(`segments/${id}.json`, JSON.stringify(segment));
  const fields = JSON.parse(files.get('fields.json')!) as { attributes: Json };
  fields.attributes.wonBack = 'boolean';
  files.set('fields.json', JSON.stringify(fields));
  files.set('coupons.json', JSON.stringify({ pools: { BACK10: { percent: 10 } } }));
  const catalogue = JSON.parse(files.get('catalogue.json')!) as { products: Record<string, Json> };
  for (const product of Object.values(catalogue.products)) if (product.consumable === true) product.lastsFor = '30d';
  files.set('catalogue.json', JSON.stringify(catalogue));
  const layout = [...files].filter(([file]) => file.startsWith('emails/up-sell/'));
  for (const { send } of sendsOf(one.steps as Parameters<typeof sendsOf>[0])) {
    for (const [file, text] of layout) files.set(file.replace('/up-sell/', `/${send}/`), text);
  }
  const checked = checkTemplates(files);
  const faults = 'faults' in checked ? checked.faults : [];
  return [...faults, ...checked.warnings]
    .filter(({ file }) => file === 'campaigns/example.json' || faults.length > 0)
    .map(sayFault);
}

describe('the reference of campaigns', () => {
  it.each(examples.map((example) => [example.text.replace(/\s+/g, ' ').slice(0, 70), example] as const))(
    '%s',
    async (_, example) => {
      expect(await toldOf(campaignOf(example))).toEqual([]);
    },
  );

  it('has only examples that are tried', () => {
    expect(page.match(/```json/g)).toHaveLength(examples.length);
    expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(['when', 'steps', 'keys']));
  });

  /** Every key of every form of a union of objects, as "form.key". */
  function keysOf(schema: z.ZodType): string[] {
    const { def } = schema as unknown as {
      def: { type: string; options?: z.ZodType[]; getter?: () => z.ZodType; shape?: object };
    };
    if (def.getter !== undefined) return keysOf(def.getter());
    if (def.options !== undefined) return def.options.flatMap(keysOf);
    const keys = Object.keys(def.shape ?? {});
    return keys.map((key) => `${keys[0]}.${key}`);
  }
  const whens = examples.flatMap(({ value }) =>
    [value, value.when as Json | undefined].filter((one) => one !== undefined),
  );
  const steps: Json[] = [];
  const collect = (list: unknown): void => {
    for (const step of list as Json[]) {
      steps.push(step);
      for (const each of Object.values(step)) if (Array.isArray(each)) collect(each);
    }
  };
  for (const { kind, value } of examples) if (kind === 'steps') collect(value);

  it('has every form of "when", with every key', () => {
    const shown = (form: string, key: string): boolean => whens.some((when) => form in when && key in when);
    const missing = [...new Set(keysOf(When))].filter((each) => !shown(...(each.split('.') as [string, string])));
    expect(missing).toEqual([]);
  });

  it('has every step, with every key', () => {
    const shown = (form: string, key: string): boolean => steps.some((step) => form in step && key in step);
    const missing = [...new Set(keysOf(Step))].filter((each) => !shown(...(each.split('.') as [string, string])));
    expect(missing).toEqual([]);
    expect(STEP_NAMES.filter((name) => !page.includes(`**\`${name}\``))).toEqual([]);
    const test = steps.find((step) => 'test' in step)?.test as Json;
    expect(Object.keys(test).sort()).toEqual(Object.keys(Test.shape).sort());
  });

  it('has every key of a campaign', () => {
    const shown = examples.flatMap(({ kind, value }) => (kind === 'keys' ? Object.keys(value) : []));
    expect(Object.keys(Campaign.shape).filter((key) => key !== '$schema' && !shown.includes(key))).toEqual([]);
  });

  it('says every value of "again"', () => {
    const told = [...page.matchAll(/^\| `"([^"]+)"` \|/gm)].map(([, value = '']) => value);
    expect(told).toHaveLength(6);
    expect(told.filter((value) => !Again.safeParse(value).success)).toEqual([]);
  });
});
