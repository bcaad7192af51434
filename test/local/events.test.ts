// Rules and schedules: which are due, and which are refused.
import { describe, expect, it } from 'vitest';
import { Events } from '../../local/events.ts';
import { readTemplate } from '../../local/template.ts';
import { assets, smallStack } from './small-stack.ts';

function withSchedule(schedule: string) {
  const template = smallStack();
  template.Resources.MinuteRule!.Properties.ScheduleExpression = schedule;
  delete template.Resources.GuardRule;
  const fired: string[] = [];
  const stack = readTemplate(template, { base: 'http://127.0.0.1:1', assets });
  const events = new Events(
    stack,
    () => 0,
    ({ arn }) => fired.push(arn),
  );
  return { events, fired };
}

const at = (iso: string) => Date.parse(iso);

describe('a schedule', () => {
  it.each([
    ['rate(1 minute)', '2026-01-05T09:03:59Z', true],
    ['rate(5 minutes)', '2026-01-05T09:05:00Z', true],
    ['rate(5 minutes)', '2026-01-05T09:06:00Z', false],
    ['cron(30 2 * * ? *)', '2026-01-05T02:30:20Z', true],
    ['cron(30 2 * * ? *)', '2026-01-05T02:31:00Z', false],
    // In AWS's six fields 2 is Monday; 5 January 2026 is one.
    ['cron(0 9 ? * 2 *)', '2026-01-05T09:00:00Z', true],
    ['cron(0 9 ? * 2 *)', '2026-01-06T09:00:00Z', false],
  ])('%s at %s: %s', (schedule, instant, due) => {
    const { events, fired } = withSchedule(schedule);
    events.minute(at(instant));
    expect(fired.length).toBe(due ? 1 : 0);
  });

  it('of each minute fires when ticked; others do not', () => {
    const each = withSchedule('rate(1 minute)');
    each.events.tick();
    expect(each.fired).toEqual(['arn:aws:lambda:us-east-1:000000000000:function:Kairos-laptop-Ticker']);
    const daily = withSchedule('rate(1 day)');
    daily.events.tick();
    expect(daily.fired).toEqual([]);
  });

  it('that is neither rate nor cron is refused with its rule', () => {
    expect(() => withSchedule('every(minute)')).toThrow('Resources.MinuteRule.ScheduleExpression');
  });
});

it('refuses a pattern that EventBridge would refuse, with its rule', () => {
  const template = smallStack();
  template.Resources.EventsRule!.Properties.EventPattern = { source: [{ 'sounds-like': 'shop' }] };
  const stack = readTemplate(template, { base: 'http://127.0.0.1:1', assets });
  const make = () =>
    new Events(
      stack,
      () => 0,
      () => {},
    );
  expect(make).toThrow('Resources.EventsRule.EventPattern: Unrecognized match type sounds-like');
});
