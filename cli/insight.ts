// kairos insight: what is known of a shop's customers, as reports over the lake of a stage or a plain file of orders.
import type { Command } from 'commander';
import type { Report, ReportCommand } from './insight-report.ts';
import { openSource, type SourceOptions } from './insight-source.ts';
import { sayReport } from './insight-terminal.ts';
import { paperOf } from './page.ts';
import { STAGE_OPTION } from './stage.ts';

/** Every report, in the order in which `kairos insight --help` lists them. */
const REPORTS: readonly ReportCommand[] = [];

/** What every report takes beside its own options. */
interface CommonOptions extends SourceOptions {
  json?: boolean;
}

/** Adds `kairos insight` and its reports. */
export function registerInsight(program: Command): void {
  const group = program
    .command('insight')
    .description('what is known of the customers: value, retention, loyalty, what goes together')
    .enablePositionalOptions();
  for (const report of REPORTS) {
    const command = withCommon(group.command(report.name).description(report.description));
    for (const [flags, description] of report.options ?? []) command.option(flags, description);
    command.action(async (_options: object, self: Command) => {
      const options = self.optsWithGlobals<CommonOptions>();
      give([await reportOf(report, options)], options);
    });
  }
}

function withCommon(command: Command): Command {
  return command
    .option('--orders <file>', 'a CSV file of orders, plain or gzipped, in place of a stage')
    .option('--mapping <file>', 'how that file is read (templates/imports)')
    .option('--until <date>', 'the last day that counts')
    .option(...STAGE_OPTION)
    .option('--json', 'print the figures as JSON, money in minor units');
}

async function reportOf(report: ReportCommand, options: CommonOptions): Promise<Report> {
  const alone = options.orders === undefined ? report.alone?.(options) : undefined;
  if (alone !== undefined) return alone;
  const source = await openSource(options);
  try {
    return await report.make(source, options);
  } finally {
    await source.close();
  }
}

/** Prints reports as the options say. */
function give(reports: readonly Report[], { json }: CommonOptions): void {
  if (json === true) {
    console.log(JSON.stringify(reports.length === 1 ? reports[0]?.json : reports.map((one) => one.json)));
    return;
  }
  const { width, colours } = paperOf(process.stdout);
  console.log(reports.map((report) => sayReport(report, { width, colour: colours })).join('\n'));
}
