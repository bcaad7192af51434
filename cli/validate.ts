// kairos validate: every fault of the templates at once, or a summary.
import path from 'node:path';
import type { Command } from 'commander';
import { sendsOf } from '../domain/draft.ts';
import { type Fault, sayFault } from '../domain/fault.ts';
import { sayWhen } from '../domain/say-campaign.ts';
import { buildFolder, type Templates, TemplatesRefused } from './templates-folder.ts';

export const TEMPLATES = path.resolve(import.meta.dirname, '..', 'templates');

/** Lines that say what a set of templates holds. */
export function summary({ draft }: Templates): string[] {
  const { settings, segments, loyalty, campaigns, catalogue, emails, people } = draft;
  const tiers = loyalty === undefined ? '' : `${count(loyalty.tiers.length, 'loyalty tier')}, `;
  const width = Math.max(0, ...Object.keys(campaigns).map((id) => id.length));
  return [
    `${count(Object.keys(segments).length, 'segment')}, ${tiers}${count(Object.keys(campaigns).length, 'campaign')}, ${count(Object.keys(emails).length, 'e-mail')} in ${settings.locales.join(', ')}, ${count(Object.keys(catalogue.products).length, 'product')}, ${count(Object.keys(people).length, 'test person', 'test people')}.`,
    ...Object.entries(campaigns).map(([id, { kind, aim, when, steps }]) => {
      const sends = sendsOf(steps).map((step) => step.send);
      return `  ${id.padEnd(width)}  ${kind}, ${aim}: ${sayWhen(when)} → ${sends.length === 0 ? 'nothing' : sends.join(', ')}`;
    }),
  ];
}

/** Prints faults or warnings, one a line, by file. */
export function printFaults(faults: Fault[], print: (line: string) => void): void {
  let file: string | undefined;
  for (const fault of faults) {
    if (fault.file !== file) print(fault.file ?? '');
    file = fault.file;
    const { file: _, ...inside } = fault;
    print(`  ${sayFault(inside)}`);
  }
}

/** What a refusal looks like on a terminal. */
export function printRefusal(refused: TemplatesRefused, print: (line: string) => void): void {
  printFaults(refused.faults, print);
  print('');
  print(`${count(refused.faults.length, 'fault')}. Nothing is published until there is none.`);
}

/** A number with its noun: `1 fault`, `2 faults`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Adds `kairos validate [folder]`: exit code 1 with faults, 0 without. */
export function registerValidate(program: Command): void {
  program
    .command('validate')
    .description('check the templates: all faults at once, each with its place and what to do')
    .argument('[folder]', 'the folder of templates', TEMPLATES)
    .option('--json', 'print faults and warnings as JSON')
    .action(async (folder: string, options: { json?: boolean }) => {
      let templates: Templates;
      try {
        templates = await buildFolder(folder);
      } catch (error) {
        if (!(error instanceof TemplatesRefused)) throw error;
        if (options.json) console.log(JSON.stringify({ faults: error.faults, warnings: error.warnings }));
        else printRefusal(error, (line) => console.error(line));
        process.exitCode = 1;
        return;
      }
      if (options.json) {
        console.log(JSON.stringify({ faults: [], warnings: templates.warnings }));
        return;
      }
      for (const line of summary(templates)) console.log(line);
      if (templates.warnings.length > 0) {
        console.log(`\n${count(templates.warnings.length, 'warning')}:`);
        printFaults(templates.warnings, (line) => console.log(line));
      }
      console.log('\nNo faults.');
    });
}
