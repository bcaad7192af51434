// The table of broken templates: each names file and place, what is wrong and what to do, and publishes nothing.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildTemplates, TemplatesRefused } from '../../cli/templates-folder.ts';
import { sayFault } from '../../domain/fault.ts';
import { type Edit, edited } from './edit.ts';

interface Row {
  given: string;
  edits: Edit[];
  faults: string[];
}

const rows = JSON.parse(readFileSync(new URL('../cases/publish-faults.json', import.meta.url), 'utf8')) as Row[];

describe('templates with a fault', () => {
  it.each(rows.map((row) => [row.given, row] as const))('given %s', async (_, row) => {
    const error = await buildTemplates(await edited(row.edits)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(TemplatesRefused);
    expect((error as TemplatesRefused).faults.map(sayFault)).toEqual(row.faults);
  });

  it('are many: every kind that publishing knows', () => {
    expect(rows.length).toBeGreaterThanOrEqual(60);
  });

  it('are all told at once', async () => {
    const files = await edited([
      { file: 'segments/vip.json', text: '{' },
      { file: 'campaigns/win-back.json', at: ['sender'], to: 'mian' },
      { file: 'settings.json', at: ['zone'], to: 'Mars' },
    ]);
    const error = (await buildTemplates(files).catch((reason: unknown) => reason)) as TemplatesRefused;
    expect(error.faults.map(({ file }) => file)).toEqual([
      'campaigns/win-back.json',
      'segments/vip.json',
      'settings.json',
    ]);
    expect(error.message).toMatch(/^3 faults in the templates:\n {2}campaigns\/win-back\.json sender: /);
  });

  it('do not blame what only rests on the fault', async () => {
    const files = await edited([{ file: 'segments/lapsed-60d.json', text: '{' }]);
    const error = (await buildTemplates(files).catch((reason: unknown) => reason)) as TemplatesRefused;
    expect(error.faults.map(({ file }) => file)).toEqual(['segments/lapsed-60d.json']);
  });
});

describe('templates with a warning', () => {
  const warningsOf = async (edits: Edit[]): Promise<string[]> =>
    (await buildTemplates(await edited(edits))).warnings.map(sayFault);

  it('are the ready-made ones: none', async () => {
    expect(await warningsOf([])).toEqual([]);
  });

  it('take in contacts of whom a value is merely unknown', async () => {
    const rule = { not: { has: { country: 'PL', 'orders.count': { atLeast: 2 } } } };
    expect(await warningsOf([{ file: 'segments/abroad.json', to: { rule } }])).toEqual([
      'segments/abroad.json rule.not.has.country: also takes in contacts whose "country" is merely unknown. If that is not meant, add {"has": {"country": {"exists": true}}}.',
    ]);
  });

  it('send nothing, or hold an e-mail or a text that nothing reads', async () => {
    expect(
      await warningsOf([
        { file: 'campaigns/welcome.json', at: ['steps'], to: [{ stop: 'later' }] },
        { file: 'emails/win-back/en.json', at: ['extra'], to: 'More' },
      ]),
    ).toEqual([
      'campaigns/welcome.json steps: send nothing.',
      'emails/welcome/layout.mjml: is sent by no campaign.',
      'emails/win-back/en.json extra: is read by no layout.',
    ]);
  });
});
