// kairos publish: checks the templates, publishes them, and shows the walk over all contacts until campaigns are live.
import type { Command } from 'commander';
import { SETTLE_SECONDS } from '../functions/aws/roster.ts';
import { type Filling, readFilling, sayFilling, sayTime, stalledFor } from './filling.ts';
import { clockOf, findTarget } from './outputs.ts';
import { personName } from './person-name.ts';
import { type Published, publish, shelfOf, waitForFill } from './publish.ts';
import { sayReachShort } from './reach-page.ts';
import type { SegmentChange } from './sample.ts';
import { buildFolder, type Templates, TemplatesRefused } from './templates-folder.ts';
import { count, printFaults, printRefusal, TEMPLATES } from './validate.ts';

/** Adds `kairos publish [folder]`. */
export function registerPublish(program: Command): void {
  program
    .command('publish')
    .description('publish the templates: all of them, or with any fault nothing')
    .argument('[folder]', 'the folder of templates', TEMPLATES)
    .option('--stage <stage>', 'laptop, dev, staging or prod; by default the running laptop')
    .option('--preview', 'say what would change, and how many people are in new and changed segments; publish nothing')
    .option('--no-wait', 'do not wait for the walk over all contacts')
    .option('--json', 'print the result as JSON')
    .action(async (folder: string, options: { stage?: string; preview?: boolean; wait: boolean; json?: boolean }) => {
      let templates: Templates;
      try {
        templates = await buildFolder(folder);
      } catch (error) {
        if (!(error instanceof TemplatesRefused)) throw error;
        printRefusal(error, (line) => console.error(line));
        process.exitCode = 1;
        return;
      }
      const target = await findTarget({ stage: options.stage });
      const shelf = shelfOf(target);
      const now = await clockOf(target);
      const preview = options.preview === true;
      const published = await publish(templates, shelf, { by: await personName(target), now: now(), preview });
      const print = (line: string) => {
        if (!options.json) console.log(line);
      };
      for (const line of sayPublished(published, target.stage, { preview })) print(line);
      if (!preview) {
        const filling = await readFilling(shelf.table, published.ordinal);
        const live = !published.changed && filling.done;
        if (!live && published.changed) print(sayLength(filling));
        if (!live && options.wait)
          await waitForFill(shelf.table, published.ordinal, options.json ? () => {} : progress(now));
        if (options.wait || live) print('All campaigns of this book are live.');
        else print('See how far it is: npx kairos status.');
      }
      if (options.json) console.log(JSON.stringify(published));
    });
}

/** What a publish did, or would do, in lines. */
export function sayPublished(published: Published, stage: string, { preview }: { preview: boolean }): string[] {
  const { ordinal, hash, changed, campaigns, waiting, gone, warnings, segmentChanges, sampled, reaches } = published;
  const lines: string[] = [];
  if (warnings.length > 0) {
    lines.push(`${count(warnings.length, 'warning')}:`);
    printFaults(warnings, (line) => lines.push(line));
  }
  const book = `book ${ordinal} (${hash.slice(0, 12)})`;
  if (!changed)
    return [
      ...lines,
      `Book ${ordinal} (${hash.slice(0, 12)}) already says this on stage ${stage}: nothing to publish.`,
    ];
  lines.push(
    preview ? `This would be ${book} of stage ${stage}; nothing is published.` : `Published ${book} to stage ${stage}.`,
  );
  const different = campaigns.filter(({ change }) => change !== 'same');
  if (different.length + waiting.length + gone.length > 0) lines.push('Campaigns');
  for (const { id, change } of different) lines.push(`  ${id}: ${change}`);
  for (const id of waiting)
    lines.push(`  ${id}: as it was; waits for the walk, because a segment that it reads has changed`);
  for (const id of gone) lines.push(`  ${id}: gone; whoever is under way in it goes on to its end`);
  if (segmentChanges.length > 0) {
    lines.push(sampled === 0 ? 'Segments' : `Segments, tried with ${sampled} contacts`);
    const width = Math.max(...segmentChanges.map(({ id }) => id.length));
    for (const each of segmentChanges) lines.push(`  ${each.id.padEnd(width)}  ${saySegment(each, sampled)}`);
  }
  if (sampled > 0 && reaches.length > 0) {
    lines.push('Broadcasts');
    for (const each of reaches) lines.push(`  ${sayReachShort(each)}`);
  }
  return lines;
}

function saySegment({ change, inside, before }: SegmentChange, sampled: number): string {
  if (sampled === 0) return change;
  const share = (some: number): string =>
    some === 0
      ? 'nobody'
      : some === sampled
        ? 'everybody'
        : `about ${Math.max(1, Math.round((100 * some) / sampled))} %`;
  const was = before === undefined ? '' : `, ${share(before)} before`;
  return `${change.padEnd('changed'.length)}  ${share(inside)} of a sample of ${sampled}${was}`;
}

function sayLength({ plan }: Filling): string {
  const rest = 'new and changed campaigns go live when it has ended.';
  if (plan === undefined) return `All contacts are walked now; ${rest}`;
  const many = `about ${plan.contacts.toLocaleString('en')} contacts`;
  if (plan.rate === undefined) return `Walking ${many}; ${rest}`;
  const seconds = SETTLE_SECONDS + plan.contacts / plan.rate;
  return `Walking ${many} at ${plan.rate.toLocaleString('en')} a second takes ${sayTime(seconds)}; ${rest}`;
}

/** Draws one line on a terminal; elsewhere a line now and then, so that a log tells that it goes on. */
function progress(now: () => number): (filling: Filling) => void {
  const started = now();
  let last = -Infinity;
  return (filling) => {
    const stalled = stalledFor(filling, started, now());
    const hint = stalled === undefined ? '' : `; nothing has moved for ${Math.round(stalled / 60_000)} min`;
    const line = `Walking all contacts: ${sayFilling(filling)}${hint}`;
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[2K${line}${filling.done ? '\n' : ''}`);
    else if (filling.done || Date.now() - last >= 30_000) {
      console.log(line);
      last = Date.now();
    }
  };
}
