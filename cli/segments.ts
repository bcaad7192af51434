// kairos segments: what each segment asks, in words.
import type { Command } from 'commander';
import { sayRule } from '../domain/say-rule.ts';
import { buildFolder, TemplatesRefused } from './templates-folder.ts';
import { printRefusal, TEMPLATES } from './validate.ts';

/** Adds `kairos segments [folder]`. */
export function registerSegments(program: Command): void {
  program
    .command('segments')
    .description('what each segment asks, in words')
    .argument('[folder]', 'the folder of templates', TEMPLATES)
    .option('--json', 'print ids, titles and words as JSON')
    .action(async (folder: string, options: { json?: boolean }) => {
      try {
        const { segments } = (await buildFolder(folder)).draft;
        const said = Object.entries(segments).map(([id, { title, rule }]) => ({ id, title, words: sayRule(rule) }));
        if (options.json) console.log(JSON.stringify(said));
        else
          for (const { id, title, words } of said)
            console.log(`${id}${title === undefined ? '' : `: ${title}`}\n  ${words}`);
      } catch (error) {
        if (!(error instanceof TemplatesRefused)) throw error;
        printRefusal(error, (line) => console.error(line));
        process.exitCode = 1;
      }
    });
}
