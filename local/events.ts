// EventBridge: buses, rules and their targets; PutEvents; the schedules.
import { randomUUID } from 'node:crypto';
import cron from 'aws-cron-parser';
import { KairosError } from '../domain/fault.ts';
import { compilePattern, PatternError } from './patterns.ts';
import { ServiceError } from './service.ts';
import type { RuleResource, Stack } from './template.ts';
import { ACCOUNT, REGION } from './template.ts';

export interface BusEvent {
  version: '0';
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: unknown;
}

/** An entry of PutEvents; `Detail` may be given as a value by callers in this process. */
export interface Entry {
  EventBusName?: string;
  Source?: string;
  DetailType?: string;
  Detail?: string | object;
  Resources?: string[];
  Time?: number | string | Date;
}

/** Puts a finished event or input to a target's ARN. */
export type Deliver = (target: RuleResource['targets'][number], input: unknown) => void;

const MOST_BYTES = 1_048_576;
const MINUTE = 60_000;

interface Rule {
  resource: RuleResource;
  matches: ((event: unknown) => boolean) | undefined;
}

/** All buses of one laptop; `default` always exists. Refuses patterns and schedules that it cannot keep. */
export class Events {
  readonly #buses: Map<string, Rule[]>;
  readonly #schedules: { resource: RuleResource; due: (minute: number) => boolean }[];
  readonly #now: () => number;
  readonly #deliver: Deliver;

  constructor(stack: Stack, now: () => number, deliver: Deliver) {
    this.#now = now;
    this.#deliver = deliver;
    this.#buses = new Map([['default', []], ...stack.buses.map(({ name }): [string, Rule[]] => [name, []])]);
    this.#schedules = [];
    for (const resource of stack.rules) {
      if (resource.schedule !== undefined) {
        this.#schedules.push({ resource, due: readSchedule(resource) });
      }
      if (resource.pattern === undefined) continue;
      const rules = this.#buses.get(resource.bus);
      if (rules === undefined) throw refusal(resource, 'EventBusName', `there is no bus "${resource.bus}".`);
      try {
        rules.push({ resource, matches: compilePattern(resource.pattern) });
      } catch (error) {
        if (error instanceof PatternError) throw refusal(resource, 'EventPattern', error.message);
        throw error;
      }
    }
  }

  /** Puts events on their buses; the answer is PutEvents' own. Throws ServiceError. */
  put(entries: readonly Entry[], failLast = false): { FailedEntryCount: number; Entries: object[] } {
    if (entries.length === 0) throw new ServiceError('ValidationException', 'Entries must have at least 1 entry.');
    if (entries.length > 10) throw new ServiceError('ValidationException', 'Entries must have at most 10 entries.');
    const read = entries.map((entry) => ({
      entry,
      text: typeof entry.Detail === 'object' ? JSON.stringify(entry.Detail) : (entry.Detail ?? ''),
    }));
    const bytes = read.reduce((sum, { entry, text }) => sum + sizeOf(entry, text), 0);
    if (bytes > MOST_BYTES)
      throw new ServiceError('ValidationException', 'Total size of the entries in the request is over the limit.');
    const answers = read.map(
      ({ entry, text }, index): { EventId?: string; ErrorCode?: string; ErrorMessage?: string } => {
        if (failLast && index === read.length - 1) return { ErrorCode: 'InternalFailure', ErrorMessage: 'Simulated.' };
        const bus = entry.EventBusName?.replace(/^.*event-bus\//, '') ?? 'default';
        if (!this.#buses.has(bus))
          return { ErrorCode: 'ResourceNotFoundException', ErrorMessage: `Event bus ${bus} does not exist.` };
        if (!entry.Source || !entry.DetailType) {
          return { ErrorCode: 'InvalidArgument', ErrorMessage: 'Parameter Source and DetailType are not optional.' };
        }
        if (entry.Source.startsWith('aws.')) {
          return {
            ErrorCode: 'NotAuthorizedForSourceException',
            ErrorMessage: `Not authorized for the source ${entry.Source}.`,
          };
        }
        const detail = parseObject(text);
        if (detail === undefined) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
        return {
          EventId: this.publish(bus, {
            source: entry.Source,
            'detail-type': entry.DetailType,
            detail,
            resources: entry.Resources ?? [],
            ...(entry.Time !== undefined && { at: instantOf(entry.Time) }),
          }),
        };
      },
    );
    return { FailedEntryCount: answers.filter(({ EventId }) => EventId === undefined).length, Entries: answers };
  }

  /** Puts one event of an AWS service or of ours on a bus and answers its id. */
  publish(
    bus: string,
    given: { source: string; 'detail-type': string; detail: unknown; resources: string[]; at?: number },
  ): string {
    const event: BusEvent = {
      version: '0',
      id: randomUUID(),
      'detail-type': given['detail-type'],
      source: given.source,
      account: ACCOUNT,
      // EventBridge keeps whole seconds
      time: `${new Date(given.at ?? this.#now()).toISOString().slice(0, 19)}Z`,
      region: REGION,
      resources: given.resources,
      detail: given.detail,
    };
    for (const { resource, matches } of this.#buses.get(bus) ?? []) {
      if (matches?.(event)) for (const target of resource.targets) this.#deliver(target, targetInput(target, event));
    }
    return event.id;
  }

  /** Fires every rule of `rate(1 minute)` once. */
  tick(): void {
    for (const { resource } of this.#schedules) if (isEachMinute(resource.schedule!)) this.#fire(resource);
  }

  /** Fires every rule of `cron(…)` once, whatever the time: the clock of a laptop jumps over nights. */
  night(): void {
    for (const { resource } of this.#schedules) if (resource.schedule!.trim().startsWith('cron(')) this.#fire(resource);
  }

  /** Fires every schedule that is due in the minute of this instant. */
  minute(instant: number): void {
    const minute = Math.floor(instant / MINUTE) * MINUTE;
    for (const { resource, due } of this.#schedules) if (due(minute)) this.#fire(resource);
  }

  #fire(resource: RuleResource): void {
    const event: BusEvent = {
      version: '0',
      id: randomUUID(),
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: ACCOUNT,
      time: `${new Date(this.#now()).toISOString().slice(0, 19)}Z`,
      region: REGION,
      resources: [`arn:aws:events:${REGION}:${ACCOUNT}:rule/${resource.name}`],
      detail: {},
    };
    for (const target of resource.targets) this.#deliver(target, targetInput(target, event));
  }
}

const isEachMinute = (schedule: string) => schedule.trim() === 'rate(1 minute)';

const targetInput = (target: RuleResource['targets'][number], event: BusEvent): unknown =>
  target.input === undefined ? event : (JSON.parse(target.input) as unknown);

function readSchedule(resource: RuleResource): (minute: number) => boolean {
  const text = resource.schedule!.trim();
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(text);
  if (rate !== null) {
    const every = Number(rate[1]) * { minute: 1, hour: 60, day: 1440 }[rate[2] as 'minute' | 'hour' | 'day'];
    return (minute) => (minute / MINUTE) % every === 0;
  }
  const expression = /^cron\((.+)\)$/.exec(text)?.[1];
  if (expression === undefined)
    throw refusal(resource, 'ScheduleExpression', `"${text}" is neither rate(…) nor cron(…).`);
  try {
    const parsed = cron.parse(expression);
    return (minute) => cron.next(parsed, new Date(minute - 1))?.getTime() === minute;
  } catch (error) {
    throw refusal(resource, 'ScheduleExpression', error instanceof Error ? error.message : String(error));
  }
}

function refusal(resource: RuleResource, property: string, message: string): KairosError {
  return new KairosError({ code: 'laptop.rule', path: `Resources.${resource.id}.${property}`, message });
}

/** The size that EventBridge counts, in bytes. */
function sizeOf(entry: Entry, detail: string): number {
  const bytes = (text: string | undefined) => (text === undefined ? 0 : Buffer.byteLength(text));
  const resources = (entry.Resources ?? []).reduce((sum, text) => sum + bytes(text), 0);
  return (
    (entry.Time === undefined ? 0 : 14) + bytes(entry.Source) + bytes(entry.DetailType) + bytes(detail) + resources
  );
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The wire carries epoch seconds; callers in this process may give a Date or ISO text. */
function instantOf(time: number | string | Date): number {
  if (typeof time === 'number') return time * 1000;
  const instant = new Date(time).getTime();
  if (Number.isNaN(instant)) throw new ServiceError('ValidationException', 'Time is not an instant.');
  return instant;
}
