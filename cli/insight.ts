// kairos insight: what is known of a shop's customers, as reports over the lake of a stage or a plain file of orders.
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { KairosError } from '../domain/fault.ts';
import { cubeQuestion } from '../domain/insight/cube.ts';
import { dateOfDay } from '../domain/insight/customer.ts';
import { CUBE_OPTIONS, type CubeOptions, cubeReport } from './insight-cube.ts';
import { groups } from './insight-groups.ts';
import { like } from './insight-like.ts';
import { pageOf } from './insight-page.ts';
import { pairsReport } from './insight-pairs.ts';
import { pareto } from './insight-pareto.ts';
import { programme } from './insight-programme.ts';
import type { Part, Report, ReportCommand } from './insight-report.ts';
import { retention } from './insight-retention.ts';
import { rfm } from './insight-rfm.ts';
import { type InsightSource, openSource, type SourceOptions } from './insight-source.ts';
import { sayReport } from './insight-terminal.ts';
import { tiers } from './insight-tiers.ts';
import { value } from './insight-value.ts';
import { paperOf } from './page.ts';
import { STAGE_OPTION } from './stage.ts';

/** Every report, in the order in which `kairos insight --help` and the overview have them. */
// biome-ignore format: one on a line
export const REPORTS: readonly ReportCommand[] = [
  rfm,
  retention,
  value,
  pareto,
  pairsReport,
  tiers,
  groups,
  like,
  programme,
];

/** What every report takes beside its own options. */
interface CommonOptions extends SourceOptions {
  json?: boolean;
  html?: string;
}

/** Adds `kairos insight` and its reports. */
export function registerInsight(program: Command): void {
  const group = withCommon(withOptions(program.command('insight'), CUBE_OPTIONS))
    .description('what is known of the customers; alone, a few numbers of each report')
    .enablePositionalOptions()
    .action(async (_options: object, self: Command) => {
      const options = self.opts<CommonOptions & CubeOptions>();
      const { by } = options;
      if (by === undefined) refuseWithoutBy(options);
      // Words that are wrong are told before anything is read.
      else cubeQuestion(by, options.of);
      await withSource(options, async (source) => {
        if (by !== undefined) return give([await cubeReport(source, { ...options, by })], source, options);
        const reports = await allReports(source, options);
        if (options.html !== undefined || options.json === true) await give(reports, source, options);
        else await give([overviewOf(source, reports)], source, options);
      });
    });
  for (const report of REPORTS) {
    const command = withCommon(group.command(report.name).description(report.description));
    withOptions(command, report.options ?? []);
    command.action(async (_options: object, self: Command) => {
      const options = self.optsWithGlobals<CommonOptions>();
      const alone = options.orders === undefined ? report.alone?.(options) : undefined;
      if (alone !== undefined) await give([alone], undefined, options);
      else await withSource(options, async (source) => give([await report.make(source, options)], source, options));
    });
  }
}

function withOptions(command: Command, options: readonly (readonly [flags: string, description: string])[]): Command {
  for (const [flags, description] of options) command.option(flags, description);
  return command;
}

/** Options of `--by` alone would otherwise be passed over in silence. */
function refuseWithoutBy(options: CubeOptions): void {
  const name = (['of', 'from', 'to', 'top'] as const).find((one) => options[one] !== undefined);
  if (name === undefined) return;
  throw new KairosError({
    code: 'insight.by',
    path: `--${name}`,
    message: 'This asks for figures by something, and nothing says by what.',
    remedy: 'Give --by too, such as --by country,category.',
  });
}

function withCommon(command: Command): Command {
  return command
    .option('--orders <file>', 'a CSV file of orders, plain or gzipped, in place of a stage')
    .option('--mapping <file>', 'how that file is read (templates/imports)')
    .option('--until <date>', 'the last day that counts, such as 2026-03-31')
    .option(...STAGE_OPTION)
    .option('--json', 'print the figures as JSON, money in minor units')
    .option('--html <file>', 'write a page with charts that needs nothing beside itself');
}

async function withSource(options: SourceOptions, use: (source: InsightSource) => Promise<void>): Promise<void> {
  const source = await openSource(options);
  try {
    await use(source);
  } finally {
    await source.close();
  }
}

/** Every report that can be made without options of its own. */
async function allReports(source: InsightSource, options: CommonOptions): Promise<Report[]> {
  const reports: Report[] = [];
  for (const report of REPORTS) if (report.onlyAlone !== true) reports.push(await report.make(source, options));
  return reports;
}

/** One screen: of each report its figures, and what is to be heeded where it has none. */
function overviewOf({ says, today }: InsightSource, reports: readonly Report[]): Report {
  const parts = reports.flatMap((report): Part[] => {
    const figures = report.parts.find(({ kind }) => kind === 'figures');
    const warning = report.parts.find((part) => part.kind === 'text' && part.tone === 'warning');
    const shown = figures ?? warning;
    return shown === undefined ? [] : [{ kind: 'heading', text: `${report.title} (${report.name})` }, shown];
  });
  const text = 'More of each: npx kairos insight NAME, with the same options.';
  return {
    name: 'overview',
    title: `Customers as of ${dateOfDay(today)}`,
    basis: says,
    parts: [...parts, { kind: 'text', text }],
    json: reports.map(({ name, json }) => ({ name, ...(json as object) })),
  };
}

/** Prints reports, or writes their page, as the options say. */
async function give(
  reports: readonly Report[],
  source: InsightSource | undefined,
  { json, html }: CommonOptions,
): Promise<void> {
  if (json === true) {
    const named = reports.map((report) => ({ report: report.name, ...(report.json as object) }));
    console.log(JSON.stringify(named.length === 1 ? named[0] : named));
  }
  if (html !== undefined) {
    const made = `${new Date(source?.now ?? Date.now()).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    await writeFile(html, pageOf(reports, { shop: source?.name ?? 'Kairos', made }));
    if (json !== true) console.log(`Written: ${html}`);
  } else if (json !== true) {
    const { width, colours } = paperOf(process.stdout);
    console.log(reports.map((report) => sayReport(report, { width, colour: colours })).join('\n'));
  }
}
