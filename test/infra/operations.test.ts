// Alarms and the runbook, held together; and the runbook with the stack and the commands that it speaks of.
import { readdirSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { costLines } from '../../cli/deploy-checks.ts';
import { STEPS } from '../../infra/names.ts';
import { anchorOf, LOGGED, STATE_FIELDS } from '../../infra/operations.ts';
import { resources, synthesise } from './synthesised.ts';

const { core, operations } = synthesise('prod');
const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const alarms = resources(operations, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
const runbook = read('docs/runbook.md');
const sections = runbook
  .split(/^##? /m)
  .slice(2)
  .map((section) => ({ heading: section.split('\n')[0]!, text: section }));
/** Failures that no alarm of their own tells: an alarm's heading leads there. */
const WITHOUT_ALARM = [
  'SES shut the account down',
  'SES is in its sandbox',
  'The identity is missing',
  'SES denies access',
  'The region cannot be reached',
];
const FAILURES = 'When SES fails';
/** Words of AWS's own commands that look like the name of a step. */
const NO_STEPS = ['receive-message'];

const named = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `kairos-prod-${name}`);

describe('Alarm: an operator is woken, and told what to do', () => {
  it('Alarm1: every alarm links a heading of the runbook, and every heading has an alarm or is a failure of SES', () => {
    const linked = alarms.map(({ AlarmDescription }) => /docs\/runbook\.md#(\S+)$/.exec(AlarmDescription)?.[1]);
    const headings = sections.map(({ heading }) => heading);
    expect(new Set(headings).size).toBe(headings.length);
    expect([...new Set(linked)].sort()).toEqual(
      headings
        .filter((heading) => !WITHOUT_ALARM.includes(heading) && heading !== FAILURES)
        .map(anchorOf)
        .sort(),
    );
    expect(headings.filter((heading) => WITHOUT_ALARM.includes(heading))).toEqual(WITHOUT_ALARM);
  });

  it('Alarm2: every heading says what it is, how to look, what to do, each with words of its own', () => {
    for (const { heading, text } of sections) {
      if (heading === FAILURES) continue;
      const [, ...parts] = text.split(/^\*\*(\w+)\.\*\*/m);
      const names = parts.filter((_, index) => index % 2 === 0);
      const words = parts.filter((_, index) => index % 2 === 1);
      expect({ heading, names }).toEqual({ heading, names: ['Description', 'Investigation', 'Resolution'] });
      expect({ heading, short: words.filter((each) => each.trim().length < 40) }).toEqual({ heading, short: [] });
    }
  });

  it('Alarm3: every alarm tells the topic, and the topic tells the operator', () => {
    const topic = resources(operations, 'AWS::SNS::Topic')[0]![0];
    for (const { AlarmName, AlarmActions } of alarms)
      expect({ AlarmName, AlarmActions }).toEqual({ AlarmName, AlarmActions: [{ Ref: topic }] });
    operations.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@shop.example',
      TopicArn: { Ref: topic },
    });
  });

  it('Alarm4: thresholds are those of the plan', () => {
    const thresholds = Object.fromEntries(
      alarms.map(({ AlarmName, Threshold }) => [AlarmName.replace('kairos-prod-', ''), Threshold]),
    );
    expect(thresholds).toEqual({
      'record-dead-letters': 1,
      'triggered-dead-letters': 1,
      'bulk-dead-letters': 1,
      'timers-dead-letters': 1,
      'feedback-dead-letters': 1,
      'roster-dead-letters': 1,
      'events-not-delivered': 1,
      'feedback-not-delivered': 1,
      'unsubscribes-not-delivered': 1,
      'each-minute-not-delivered': 1,
      'guard-not-delivered': 1,
      'insight-not-delivered': 1,
      'record-queue-late': 300,
      'triggered-queue-late': 600,
      'feedback-queue-late': 600,
      'hand-off-late': 600_000,
      'write-lake-late': 600_000,
      'timers-silent': 1,
      'timers-failing': 4,
      'guard-silent': 1,
      'guard-failing': 4,
      'insight-silent': 1,
      'insight-failing': 1,
      'due-late': 600,
      stopped: 1,
      'under-review': 1,
      'quota-near': 0.8,
      'coupons-low': 1,
      uncertain: 1,
      'campaign-paused': 1,
      bounces: 0.02,
      complaints: 0.0008,
    });
  });

  it('Alarm5: silence of the timers, of the guard and of the nightly run alarms, silence of anything else does not', () => {
    const silences = ['timers-silent', 'guard-silent', 'insight-silent'];
    for (const name of silences)
      expect(named(name)).toMatchObject({ TreatMissingData: 'breaching', ComparisonOperator: 'LessThanThreshold' });
    const names = silences.map((name) => `kairos-prod-${name}`);
    for (const { AlarmName, TreatMissingData, ComparisonOperator } of alarms) {
      if (names.includes(AlarmName)) continue;
      expect([TreatMissingData, ComparisonOperator]).toEqual(['notBreaching', 'GreaterThanOrEqualToThreshold']);
    }
  });

  it('Alarm6: a function that fails at every run alarms under the same heading as one that never runs', () => {
    for (const [name, step] of [
      ['timers', 'run-timers'],
      ['guard', 'guard-sending'],
    ]) {
      const [silent, failing] = [named(`${name}-silent`), named(`${name}-failing`)];
      const of = {
        Dimensions: [{ Name: 'FunctionName', Value: `kairos-prod-${step}` }],
        Period: 300,
        Statistic: 'Sum',
      };
      expect(silent).toMatchObject({ ...of, Namespace: 'AWS/Lambda', MetricName: 'Invocations' });
      expect(failing).toMatchObject({ ...of, Namespace: 'AWS/Lambda', MetricName: 'Errors' });
      const link = /#\S+$/;
      expect(link.exec(failing!.AlarmDescription)![0]).toBe(link.exec(silent!.AlarmDescription)![0]);
    }
  });

  it('Alarm8: the nightly run alarms after two days without a run, or with none that went well; all others at once', () => {
    for (const { AlarmName, EvaluationPeriods, Period } of alarms) {
      const nightly = /insight-(silent|failing)$/.test(AlarmName);
      expect({ AlarmName, EvaluationPeriods }).toEqual({ AlarmName, EvaluationPeriods: nightly ? 2 : 1 });
      if (nightly) expect(Period).toBe(86_400);
    }
  });

  it('Alarm7: an alarm about a part of the stack names a part that is there', () => {
    const [queues, rules, functions] = ['AWS::SQS::Queue', 'AWS::Events::Rule', 'AWS::Lambda::Function'].map((type) =>
      resources(core, type).map(
        ([, { Properties }]) => Properties.QueueName ?? Properties.FunctionName ?? Properties.Name,
      ),
    );
    const known: Record<string, string[] | undefined> = {
      QueueName: queues,
      RuleName: rules,
      FunctionName: functions,
      EventBusName: ['kairos-prod'],
    };
    const watched = alarms.flatMap(({ Dimensions = [] }) => Dimensions) as { Name: string; Value: string }[];
    for (const { Name, Value } of watched)
      expect({ Name, Value, known: known[Name]?.includes(Value) }).toEqual({ Name, Value, known: true });
    const watchedOf = (name: string) => [
      ...new Set(watched.filter(({ Name }) => Name === name).map(({ Value }) => Value)),
    ];
    // Every rule, and every queue of dead letters.
    expect(watchedOf('RuleName').sort()).toEqual(rules!.sort());
    expect(
      watchedOf('QueueName')
        .filter((name) => name.endsWith('dead-letters'))
        .sort(),
    ).toEqual(queues!.filter((name) => name.endsWith('dead-letters')).sort());
  });
});

describe('Metric: few of our own, and paid for only in hours in which something is wrong', () => {
  const filters = resources(operations, 'AWS::Logs::MetricFilter').map(([, { Properties }]) => Properties);

  it('Metric1: what metric filters read, and from which log', () => {
    const found = filters.map(({ LogGroupName, FilterPattern, MetricTransformations: [metric] }) => [
      LogGroupName.replace('/kairos/prod/', ''),
      FilterPattern,
      metric.MetricValue,
    ]);
    const state = (field: string, from: number) => [
      'guard-sending',
      `{ ($.message = "guard.state") && ($.${field} >= ${from}) }`,
      `$.${field}`,
    ];
    expect(found.sort()).toEqual(
      [
        ['walk-due', '{ $.oldestDueSeconds >= 0 }', '$.oldestDueSeconds'],
        ['walk-due', '{ $.message = "claim.uncertain" }', '1'],
        ['guard-sending', '{ $.message = "campaign.paused" }', '1'],
        state('stopped', 1),
        state('underReview', 1),
        state('quotaUsed', 0.8),
        state('couponsLow', 1),
      ].sort(),
    );
  });

  it('Metric2: none has a default value, which would be billed in every hour, nor dimensions, each of which is a metric', () => {
    for (const { MetricTransformations } of filters) {
      expect(MetricTransformations).toHaveLength(1);
      expect(Object.keys(MetricTransformations[0]).sort()).toEqual(['MetricName', 'MetricNamespace', 'MetricValue']);
    }
    expect(filters.length).toBeLessThanOrEqual(7);
  });

  it('Metric3: a filter matches no value at which its alarm would rest, and each that it matches alarms', () => {
    for (const { FilterPattern, MetricTransformations } of filters) {
      const from = /\$\.\w+ >= ([\d.]+)\) \}/.exec(FilterPattern)?.[1];
      if (from === undefined) continue;
      const alarm = alarms.find(({ MetricName }) => MetricName === MetricTransformations[0].MetricName)!;
      expect({ FilterPattern, Threshold: alarm.Threshold, Statistic: alarm.Statistic }).toEqual({
        FilterPattern,
        Threshold: Number(from),
        Statistic: 'Maximum',
      });
    }
  });

  it('Metric5: what a deployment says that alarms and metrics cost is counted', () => {
    const said = costLines({}).join(' ');
    expect(said).toContain(`${alarms.length} alarms ${(alarms.length * 0.1).toFixed(2)}`);
    expect(said).toContain(`${filters.length} at most`);
  });

  it('Metric4: the functions log what is read', () => {
    expect(read('functions/aws/walk.ts')).toContain(LOGGED.oldestDue);
    expect(read('functions/aws/walk.ts')).toContain(`'${LOGGED.uncertain}'`);
    const [, state] =
      new RegExp(`'${LOGGED.state}', \\{([\\s\\S]*?)\\}\\);`).exec(read('functions/guard-sending.ts')) ?? [];
    for (const field of STATE_FIELDS) expect(state).toMatch(new RegExp(`\\b${field}[:,]`));
    expect(read('functions/guard-sending.ts') + read('functions/aws/budgets.ts')).toContain(`'${LOGGED.paused}'`);
  });
});

describe('Runbook: it speaks of what is there', () => {
  const words = (pattern: RegExp) => [...new Set([...runbook.matchAll(pattern)].map(([, word]) => word!))].sort();

  it('Runbook1: links lead to headings, and every failure of SES is linked from an alarm', () => {
    const anchors = [...runbook.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
    for (const link of words(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(link);
    expect(sections.find(({ heading }) => heading === 'Sending is stopped')!.text).toContain(`#${anchorOf(FAILURES)}`);
  });

  it('Runbook2: functions, queues, rules, logs and outputs are those of the stack', () => {
    const names = ['AWS::SQS::Queue', 'AWS::Events::Rule', 'AWS::Lambda::Function', 'AWS::Events::EventBus'].flatMap(
      (type) =>
        resources(core, type).map(
          ([, { Properties }]) => Properties.QueueName ?? Properties.FunctionName ?? Properties.Name,
        ),
    );
    for (const name of words(/\b(kairos-prod(?:-[a-z]+)*)\b/g)) expect(names).toContain(name);
    for (const log of words(/\/kairos\/prod\/([a-z-]+)/g)) expect(STEPS).toContain(log);
    const outputs = Object.keys(core.toJSON().Outputs);
    for (const output of words(/<([A-Z]\w+)>/g)) expect(outputs).toContain(output);
    expect(
      words(/\b((?:receive|record|hand|run|walk|send|guard|manage|write|refresh)-[a-z]+)\b/g).filter(
        (name) => !(STEPS as readonly string[]).includes(name),
      ),
    ).toEqual(NO_STEPS);
  });

  it('Runbook3: a log line that a command filters for is one that a function writes', () => {
    const code = ['functions', 'functions/aws']
      .flatMap((folder) => readdirSync(new URL(`../../${folder}`, import.meta.url)).map((file) => `${folder}/${file}`))
      .filter((file) => file.endsWith('.ts'))
      .map(read)
      .join('');
    const lines = words(/\$\.message = "([a-z.]+)"/g);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of [...lines, ...words(/`((?:account|guard|claim|campaign|coupon|send|book)\.[a-z-]+)`/g)])
      expect({ line, written: code.includes(`'${line}'`) }).toEqual({ line, written: true });
  });

  it('Runbook4: every command of Kairos that it gives exists, with its options and nothing missing', async () => {
    const program = new Command();
    for (const [, register, file] of read('cli/kairos.ts').matchAll(
      /import \{ (register\w+) \} from '\.\/([\w-]+\.ts)'/g,
    ))
      (await import(`../../cli/${file}`))[register!](program);
    const given = [...runbook.matchAll(/npx kairos ([^`\n]+)/g)].map(([, text]) => text!.trim());
    expect(given.length).toBeGreaterThan(20);
    for (const line of given) {
      const parts = line.match(/"[^"]*"|\S+/g)!;
      let command: Command | undefined = program;
      while (command !== undefined && command.commands.length > 0) {
        const next: Command | undefined = command.commands.find((one) => one.name() === parts[0]);
        if (next !== undefined) parts.shift();
        command = next ?? command.commands.find((one) => one.name() === 'list');
      }
      expect({ line, exists: command !== undefined }).toEqual({ line, exists: true });
      const { operands, unknown } = command!.parseOptions(parts);
      const wanted = command!.options.filter(({ mandatory }) => mandatory).map(({ long }) => long!);
      const { length: most } = command!.registeredArguments;
      const least = command!.registeredArguments.filter(({ required }) => required).length;
      expect({
        line,
        unknown,
        missing: wanted.filter((long) => !parts.includes(long)),
        operands: operands.length >= least && operands.length <= most,
      }).toEqual({ line, unknown: [], missing: [], operands: true });
      expect(line).toContain('--stage prod');
    }
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const script of words(/npm run ([a-z-]+)/g)) expect(Object.keys(scripts)).toContain(script);
  });

  it('Runbook5: what stops, starts or resumes by command can be done without Kairos too', () => {
    for (const words of ['REMOVE stopped', 'SET stopped', '--sending-enabled', 'REMOVE paused.#c'])
      expect(runbook).toContain(words);
  });
});
