// Alarms and the runbook, held together.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { anchorOf, LOGGED } from '../../infra/operations.ts';
import { resources, synthesise } from './synthesised.ts';

const { operations } = synthesise('prod');
const alarms = resources(operations, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');
const sections = runbook
  .split(/^## /m)
  .slice(1)
  .map((section) => ({ heading: section.split('\n')[0]!, text: section }));

const named = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `kairos-prod-${name}`);

describe('Alarm: an operator is woken, and told what to do', () => {
  it('Alarm1: every alarm links a heading of the runbook, and every heading has an alarm', () => {
    const linked = alarms.map(({ AlarmDescription }) => /docs\/runbook\.md#(\S+)$/.exec(AlarmDescription)?.[1]);
    expect([...new Set(linked)].sort()).toEqual(sections.map(({ heading }) => anchorOf(heading)).sort());
  });

  it('Alarm2: every heading says what it is, how to look, what to do', () => {
    for (const { heading, text } of sections) {
      const parts = [...text.matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, part]) => part);
      expect({ heading, parts }).toEqual({ heading, parts: ['Description', 'Investigation', 'Resolution'] });
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
      'each-minute-not-delivered': 1,
      'record-queue-late': 300,
      'triggered-queue-late': 600,
      'feedback-queue-late': 600,
      'hand-off-late': 600_000,
      'write-lake-late': 600_000,
      'timers-silent': 1,
      'due-late': 600,
      'stop-set': 1,
      bounces: 0.02,
      complaints: 0.0008,
      'quota-near': 40_000,
    });
  });

  it('Alarm5: silence of the timers alarms, silence of anything else does not', () => {
    expect(named('timers-silent')).toMatchObject({
      TreatMissingData: 'breaching',
      ComparisonOperator: 'LessThanThreshold',
    });
    for (const { AlarmName, TreatMissingData } of alarms)
      if (AlarmName !== 'kairos-prod-timers-silent') expect(TreatMissingData).toBe('notBreaching');
  });

  it('Alarm6: what metric filters read is what the functions log', () => {
    const patterns = Object.fromEntries(
      resources(operations, 'AWS::Logs::MetricFilter').map(([, { Properties }]) => [
        Properties.LogGroupName,
        Properties.FilterPattern,
      ]),
    );
    expect(patterns).toEqual({
      '/kairos/prod/walk-due': `{ $.${LOGGED.oldestDue} >= 0 }`,
      '/kairos/prod/send-message': `{ $.message = "${LOGGED.stopped}" }`,
    });
    const read = (file: string) => readFileSync(new URL(`../../functions/aws/${file}`, import.meta.url), 'utf8');
    expect(read('sender.ts').includes(`'${LOGGED.stopped}'`)).toBe(true);
    expect(read('walk.ts').includes(LOGGED.oldestDue)).toBe(true);
  });
});
