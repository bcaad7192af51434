// npm start: the main job on this machine. A demo shop or a file of orders goes through the synthesised stack.
import '../cli/require-node.cjs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { TemplatesRefused } from '../cli/templates-folder.ts';
import { KairosError, nearest, sayFault } from '../domain/fault.ts';
import { formatMoney } from '../domain/money.ts';
import type { EngineName } from './engine.ts';
import type { Laptop } from './laptop.ts';
import { announce, eventsUrl, type Run, type RunOptions, runShop } from './shop-run.ts';
import { grouped, Screen } from './shop-screen.ts';

const FLAGS = {
  once: { type: 'boolean' },
  json: { type: 'boolean' },
  orders: { type: 'string' },
  mapping: { type: 'string' },
  'live-from': { type: 'string' },
  'run-on': { type: 'string' },
  seed: { type: 'string' },
  engine: { type: 'string' },
  port: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const HELP = `npm start                      a demo shop: history, live orders, e-mails; stays up until Ctrl-C
npm start -- --once            the same, and ends after the table
npm start -- --orders FILE.csv[.gz] --mapping MAPPING.json
                               a file of orders in place of the demo shop (templates/imports, docs/import.md)

  --json             prints one JSON object, and what happens meanwhile to stderr
  --live-from DATE   from which day the file's rows come live, in place of the mapping's liveFrom
  --run-on DAYS      days of time after the last event (14)
  --seed NUMBER      another demo shop (1)
  --engine NAME      dynoxide or dynamodb-local
  --port NUMBER      the port of the laptop's page; a free one unless given
`;

function fault(path: string, message: string, remedy = 'npm start -- --help lists the options.'): KairosError {
  return new KairosError({ code: 'start.option', path, message, remedy });
}

function whole(name: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  if (!/^\d{1,10}$/.test(text) || Number(text) > most)
    throw fault(`--${name}`, `${JSON.stringify(text)} is not a whole number from 0 to ${most}.`);
  return Number(text);
}

/** The options as given; throws a KairosError that says which is wrong. */
function readOptions(args: string[]): { run: RunOptions; once: boolean; json: boolean; help: boolean } {
  let values: ReturnType<typeof parse>['values'];
  const parse = () => parseArgs({ args, options: FLAGS, strict: true, allowPositionals: false });
  try {
    values = parse().values;
  } catch (error) {
    const unknown = args.find((arg) => arg.startsWith('--') && !(arg.slice(2).split('=')[0]! in FLAGS));
    if (unknown === undefined) throw fault('', `${(error as Error).message.split(/\.\s/)[0]!.replace(/\.$/, '')}.`);
    const near = nearest(unknown.slice(2).split('=')[0]!, Object.keys(FLAGS));
    throw fault(
      unknown.split('=')[0]!,
      'there is no such option.',
      near === undefined ? undefined : `Did you mean --${near}?`,
    );
  }
  const { orders, mapping, engine, port } = values;
  const liveFrom = values['live-from'];
  if (orders === undefined && (mapping !== undefined || liveFrom !== undefined)) {
    throw fault(mapping === undefined ? '--live-from' : '--mapping', 'goes with --orders FILE.');
  }
  if (orders !== undefined && mapping === undefined) {
    throw fault(
      '--orders',
      'needs --mapping MAPPING.json.',
      'templates/imports holds mappings, docs/import.md says how to write one.',
    );
  }
  if (liveFrom !== undefined && !isDay(liveFrom)) {
    throw fault('--live-from', `${JSON.stringify(liveFrom)} is not a date.`, 'Write a date such as 2026-03-01.');
  }
  if (engine !== undefined && engine !== 'dynoxide' && engine !== 'dynamodb-local') {
    throw fault('--engine', `${JSON.stringify(engine)} is unknown.`, 'There are dynoxide and dynamodb-local.');
  }
  const once = values.once === true;
  const run: RunOptions = {
    root: resolve(import.meta.dirname, '..'),
    seed: whole('seed', values.seed, 1, 4_294_967_295),
    runOn: whole('run-on', values['run-on'], 14, 3650),
    stays: !once,
  };
  if (orders !== undefined && mapping !== undefined) {
    run.orders = { file: resolve(orders), mapping: resolve(mapping), ...(liveFrom === undefined ? {} : { liveFrom }) };
  }
  if (engine !== undefined) run.engine = engine as EngineName;
  if (port !== undefined) run.port = whole('port', port, 0, 65_535);
  return { run, once, json: values.json === true, help: values.help === true };
}

function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

/** What `--json` prints. Money in minor units. */
function summary(run: Run, seconds: number): object {
  const {
    contacts,
    orders,
    refunds,
    gross,
    refunded,
    net,
    guests,
    messages,
    sentByAim,
    events,
    segments,
    tiers,
    disagreements,
  } = run.figures;
  return {
    contacts,
    orders,
    refunds,
    gross,
    refunded,
    net,
    currency: run.definitions.settings.currency,
    guests,
    messages,
    sentByAim,
    deadLetters: run.deadLetters,
    events,
    segments,
    tiers,
    insight: run.insight && {
      customers: run.insight.run.customers,
      models: run.insight.run.models?.ordinal,
      parts: run.insight.parts,
      notes: run.insight.run.notes.map(({ part, kind, code }) => `${part} ${kind}: ${code}`),
    },
    excluded: run.file?.excluded ?? {},
    faults: run.file?.faults.count ?? 0,
    notRecorded: run.recorded.failed.count,
    disagreements,
    seconds,
  };
}

function show(screen: Screen, run: Run): void {
  const { figures, file, definitions } = run;
  const { currency, locales } = definitions.settings;
  const money = (minor: number): string => formatMoney(minor, currency, locales[0] ?? 'en');
  screen.heading('What the stack has stored');
  screen.line();
  screen.table(
    ['events', 'contacts', 'orders', 'refunds', 'gross', 'refunded', 'net'],
    [
      [
        figures.events,
        figures.contacts,
        figures.orders,
        figures.refunds,
        money(figures.gross),
        money(figures.refunded),
        money(figures.net),
      ],
    ],
  );
  if (figures.guests.orders + figures.guests.refunds > 0) {
    screen.line(
      `  of these, of nobody known: ${grouped(figures.guests.orders)} orders, ${grouped(figures.guests.refunds)} refunds`,
    );
  }
  for (const [reason, rows] of Object.entries(file?.excluded ?? {}))
    screen.line(`  left out: ${grouped(rows)} rows, ${reason}`);
  if (file !== undefined && file.faults.count > 0) {
    screen.warn(`${grouped(file.faults.count)} rows are wrong and were left out:`);
    for (const { line, message } of file.faults.first) screen.line(`      line ${line}: ${message}`);
  }
  screen.line();
  screen.table(
    ['segment', 'members', ''],
    Object.entries(figures.segments).map(([id, members]) => [id, members, definitions.segments[id]?.title ?? '']),
  );
  screen.line();
  const states = [...new Set(Object.values(figures.messages).flatMap((each) => Object.keys(each)))].sort();
  screen.table(
    ['campaign', 'aim', ...states],
    Object.entries(definitions.campaigns).map(([id, { campaign }]) => [
      id,
      campaign.aim,
      ...states.map((state) => figures.messages[id]?.[state] ?? 0),
    ]),
  );
  screen.line();
  const { sentByAim } = figures;
  screen.line(
    `  sent: ${Object.entries(sentByAim)
      .map(([aim, sent]) => `${aim} ${grouped(sent)}`)
      .join('   ')}`,
  );
  if (run.deadLetters > 0) screen.warn(`${run.deadLetters} dead letters: look at ${run.laptop.url}`);
  if (run.stuck > 5) screen.warn(`something stayed due although it was looked at ${run.stuck} times`);
  for (const each of figures.disagreements) screen.warn(`the stored figures disagree: ${each}`);
}

function showAddresses(screen: Screen, run: Run): void {
  screen.heading('It is still running');
  screen.line();
  screen.line(`  mailbox   ${screen.tone('cyan', run.laptop.mailbox.url)}`);
  screen.line(`  events    ${screen.tone('cyan', eventsUrl(run.target))}`);
  screen.line(`  overview  ${screen.tone('cyan', run.laptop.url)}`);
  screen.line();
  screen.line('  Subscribe yourself, and see the confirmation arrive in the mailbox:');
  screen.line();
  for (const line of curl(run)) screen.line(`    ${line}`);
  screen.line();
  screen.line(`  What is known of you then:  npx kairos contact --user you`);
  screen.line('  Ctrl-C ends it.');
}

function curl(run: Run): string[] {
  const { topics } = run.definitions.settings;
  const event = {
    event: 'Consent Requested',
    userId: 'you',
    context: { traits: { email: 'you@example.com', firstName: 'Ada' } },
    properties: { topic: 'offers' in topics ? 'offers' : (Object.keys(topics)[0] ?? 'offers') },
  };
  return [
    `curl -sS ${eventsUrl(run.target)} \\`,
    `  -H 'Authorization: Bearer ${run.bearer}' -H 'Content-Type: application/json' \\`,
    `  -d '${JSON.stringify(event)}'`,
  ];
}

/** Says each new e-mail until the signal comes. */
function watchMailbox(screen: Screen, laptop: Laptop): NodeJS.Timeout {
  let seen = laptop.mailbox.count();
  return setInterval(async () => {
    if (laptop.mailbox.count() <= seen) return;
    const mails = await laptop.mailbox.list();
    for (const { subject, to } of mails.slice(seen))
      screen.line(`  ${screen.tone('green', 'e-mail')}  ${subject}  → ${to.join(', ')}`);
    seen = mails.length;
  }, 500);
}

async function main(): Promise<number> {
  const started = Date.now();
  const { run: options, once, json, help } = readOptions(process.argv.slice(2));
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const screen = new Screen(json ? process.stderr : process.stdout);
  let laptop: Laptop | undefined;
  let takeBack = (): void => {};
  let watch: NodeJS.Timeout | undefined;
  let ended: (code: number) => void = () => {};
  const end = new Promise<number>((done) => {
    ended = done;
  });
  const stop = (): void => {
    // A second signal ends it at once.
    process.once('SIGINT', () => process.exit(130));
    ended(0);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const work = (async (): Promise<number> => {
    const run = await runShop(options, screen, (up) => {
      laptop = up;
    });
    if (json) process.stdout.write(`${JSON.stringify(summary(run, (Date.now() - started) / 1000))}\n`);
    else show(screen, run);
    if (!once) {
      takeBack = announce(options.root, run);
      if (!json) showAddresses(screen, run);
      watch = watchMailbox(screen, run.laptop);
      return end;
    }
    screen.line();
    return run.figures.disagreements.length > 0 || run.recorded.failed.count > 0 ? 1 : 0;
  })();
  try {
    return await Promise.race([work, end]);
  } finally {
    clearInterval(watch);
    takeBack();
    // Whoever still waits for the run hears of the end as an error, which nobody needs any more.
    work.catch(() => {});
    await laptop?.close();
  }
}

try {
  process.exit(await main());
} catch (error) {
  if (error instanceof KairosError) process.stderr.write(`${sayFault(error.fault)}\n`);
  else if (error instanceof TemplatesRefused) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
  process.exit(1);
}
