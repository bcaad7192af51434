// The table of broken templates: each names file and place, what is wrong and what to do, and publishes nothing.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildTemplates, TemplatesRefused } from '../../cli/templates-folder.ts';
import { sayFault } from '../../domain/fault.ts';
import { type Edit, edited } from './edit.ts';

interface Row {
  given: string;
  edits: Edit[];
  /** What refuses them. */
  faults?: string[];
  /** Of templates that are published: what may not be meant. */
  warnings?: string[];
}

const table = JSON.parse(readFileSync(new URL('../cases/publish-faults.json', import.meta.url), 'utf8')) as Row[];
const rows = table.filter((row) => row.faults !== undefined);
const doubtful = table.filter((row) => row.warnings !== undefined);

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
    expect(rows.length).toBeGreaterThanOrEqual(450);
    expect(rows.length + doubtful.length).toBe(table.length);
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

describe('the pages behind preference links', () => {
  const LEAVE = '<button class="quiet" type="submit" name="do" value="withdraw">{{ text.withdrawButton }}</button>';
  const faultsOf = async (edits: Edit[]): Promise<string[]> => {
    const error = await buildTemplates(await edited(edits)).catch((reason: unknown) => reason);
    return error instanceof TemplatesRefused ? error.faults.map(sayFault) : [];
  };

  it.each<[string, Edit[], string[]]>([
    [
      'a page that is not there',
      [{ file: 'pages/known.html', remove: true }],
      ['pages/known.html: is missing. Recipients are led there by the links in e-mails.'],
    ],
    [
      'a text that is not there, in one language',
      [{ file: 'pages/pl.json', at: ['preferences', 'unreadable'] }],
      [
        'pages/pl.json preferences.unreadable: is missing, and pages/preferences.html reads "text.unreadable". Add "unreadable".',
      ],
    ],
    [
      'a text under a name that is nearly right',
      [{ file: 'pages/saved.html', replace: ['{{ text.minute }}', '{{ text.minutes }}'] }],
      ['en', 'de', 'pl'].map(
        (locale) =>
          `pages/${locale}.json saved.minutes: is missing, and pages/saved.html reads "text.minutes". Did you mean "minute"?`,
      ),
    ],
    [
      'a page without a button that it has to have',
      [{ file: 'pages/preferences.html', replace: ['value="stop-profiling"', 'value="stop"'] }],
      [
        'pages/preferences.html: does not offer "stop-profiling". Add <button type="submit" name="do" value="stop-profiling"> in a form that posts to {{ action }}.',
      ],
    ],
    [
      'no way to leave while choices cannot be read',
      [
        {
          file: 'pages/preferences.html',
          replace: [`{% endif %}${LEAVE}`, `${LEAVE}{% endif %}`],
        },
      ],
      [
        'pages/preferences.html: does not offer "withdraw" while choices cannot be read. Add <button type="submit" name="do" value="withdraw"> in a form that posts to {{ action }}.',
      ],
    ],
    [
      'a form that a GET would send',
      [{ file: 'pages/preferences.html', replace: ['method="post"', 'method="get"'] }],
      [
        'pages/preferences.html: has a form that does not post to where it stands. Write <form method="post" action="{{ action }}">.',
      ],
    ],
    [
      'a script',
      [{ file: 'pages/gone.html', replace: ['{{ text.body }}', '{{ text.body }}<script>1</script>'] }],
      ['pages/gone.html: holds a script. Pages work without scripts: take it out.'],
    ],
    [
      'something that the page does not know, in a state that is rare',
      [{ file: 'pages/known.html', replace: ['{{ known.help }}</a>', '{{ known.helper }}</a>'] }],
      ['pages/known.html en: "known.helper" has no value here.'],
    ],
  ])('given %s', async (_, edits, faults) => {
    expect(await faultsOf(edits)).toEqual(faults);
  });

  it('are a warning where a marketing e-mail does not lead to them, and none where it is service mail', async () => {
    const warningsOf = async (file: string) => {
      const { warnings } = await buildTemplates(
        await edited([{ file, replace: ['links.preferences', 'links.unsubscribe'] }]),
      );
      return warnings.map(sayFault);
    };
    const names = ['cross-sell', 'up-sell', 'vip-thank-you', 'welcome', 'win-back'];
    expect((await warningsOf('emails/_shared/footer.mjml')).sort()).toEqual(
      names.map(
        (name) =>
          `emails/${name}/layout.mjml: has no link to the page of choices: topics, a pause, what is known. Include ../_shared/footer.mjml, or link to {{ links.preferences }}.`,
      ),
    );
    expect(await warningsOf('emails/_shared/footer-service.mjml')).toEqual([]);
  });
});

describe('templates with a warning', () => {
  const warningsOf = async (edits: Edit[]): Promise<string[]> =>
    (await buildTemplates(await edited(edits))).warnings.map(sayFault);

  it('are the ready-made ones: none', async () => {
    expect(await warningsOf([])).toEqual([]);
  });

  it.each(doubtful.map((row) => [row.given, row] as const))('given %s', async (_, row) => {
    expect(await warningsOf(row.edits)).toEqual(row.warnings);
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
