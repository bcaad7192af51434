// kairos publish: checks the templates, publishes them, and shows the walk over all contacts until campaigns are live.
import type { Command } from 'commander';
import { findTarget } from './outputs.ts';
import { personName } from './person-name.ts';
import { type Filling, type Published, publish, readFilling, shelfOf, waitForFill } from './publish.ts';
import { buildTemplates, readTemplates, type Templates, TemplatesRefused } from './templates-folder.ts';
import { count, printFaults, printRefusal, TEMPLATES } from './validate.ts';

/** Adds `kairos publish [folder]`. */
export function registerPublish(program: Command): void {
  program
    .command('publish')
    .description('publish the templates: all of them, or with any fault nothing')
    .argument('[folder]', 'the folder of templates', TEMPLATES)
    .option('--stage <stage>', 'laptop, dev, staging or prod; by default the running laptop')
    .option('--no-wait', 'do not wait for the walk over all contacts')
    .option('--json', 'print the result as JSON')
    .action(async (folder: string, options: { stage?: string; wait: boolean; json?: boolean }) => {
      let templates: Templates;
      try {
        templates = await buildTemplates(await readTemplates(folder));
      } catch (error) {
        if (!(error instanceof TemplatesRefused)) throw error;
        printRefusal(error, (line) => console.error(line));
        process.exitCode = 1;
        return;
      }
      const target = await findTarget({ stage: options.stage });
      const shelf = shelfOf(target);
      const published = await publish(templates, shelf, { by: await personName(target), now: Date.now() });
      if (!options.json) say(published, target.stage);
      const live = !published.changed && (await readFilling(shelf.table, published.ordinal)).done;
      if (options.wait && !live)
        await waitForFill(shelf.table, published.ordinal, options.json ? () => {} : progress());
      if (options.json) console.log(JSON.stringify(published));
      else if (options.wait || live) console.log('All campaigns of this book are live.');
      else console.log('Campaigns that are new or changed go live when the walk over all contacts has ended.');
    });
}

function say(published: Published, stage: string): void {
  const { ordinal, hash, changed, campaigns, gone, warnings } = published;
  if (warnings.length > 0) {
    console.log(`${count(warnings.length, 'warning')}:`);
    printFaults(warnings, (line) => console.log(line));
  }
  if (!changed) {
    console.log(`Book ${ordinal} (${hash.slice(0, 12)}) already says this on stage ${stage}: nothing to publish.`);
    return;
  }
  console.log(`Published book ${ordinal} (${hash.slice(0, 12)}) to stage ${stage}.`);
  for (const { id, change } of campaigns) if (change !== 'same') console.log(`  ${id}: ${change}`);
  for (const id of gone) console.log(`  ${id}: gone; whoever is under way in it goes on to its end`);
}

/** Draws one line on a terminal, or a line at the end elsewhere. */
function progress(): (filling: Filling) => void {
  let said = false;
  return ({ shards, shardsDone, contacts, done }) => {
    const line = `Walking all contacts: ${contacts} seen, ${shardsDone} of ${shards} shards done`;
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[2K${line}${done ? '\n' : ''}`);
    else if (done && !said) console.log(line);
    said ||= done;
  };
}
