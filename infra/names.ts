// Names that both stacks know without referring to each other, so that neither locks the other's updates.
import type { Stage } from './settings.ts';

/** The files of functions/, in the order in which an event meets them. */
export const STEPS = [
  'receive-event',
  'record-interaction',
  'hand-off',
  'run-timers',
  'walk-due',
  'send-message',
  'receive-feedback',
  'guard-sending',
  'manage-preferences',
  'recommend-products',
  'walk-roster',
  'write-lake',
  'refresh-insight',
] as const;
export type StepName = (typeof STEPS)[number];

export const QUEUES = ['record', 'triggered', 'bulk', 'timers', 'feedback', 'roster'] as const;
export type QueueName = (typeof QUEUES)[number];

export const coreStackName = (stage: string): string => `Kairos-${stage}`;
export const operationsStackName = (stage: string): string => `KairosOperations-${stage}`;

/** The name of a function, queue, rule or bus in the account. */
export const physicalName = (stage: Stage, part: string): string => `kairos-${stage}-${part}`;
export const deadLettersName = (stage: Stage, queue: QueueName): string => physicalName(stage, `${queue}-dead-letters`);
export const logGroupName = (stage: Stage, step: string): string => `/kairos/${stage}/${step}`;
/** The configuration set that tells opens too; its name is fixed, so that its feedback is taken even after it left the stack. */
export const trackedSetName = (stage: Stage): string => physicalName(stage, 'tracked');
/** Where the lake is asked: the Athena workgroup, and the Glue database of its tables and views. */
export const workgroupName = (stage: Stage): string => physicalName(stage, 'insight');
export const databaseName = (stage: Stage): string => `kairos_${stage}`;
/** Under which name the core stack says the name of its bucket, which CloudFormation chose. */
export const bucketParameter = (stage: Stage): string => `/kairos/${stage}/bucket`;
/** Where in the bucket the lake is, and where Athena leaves its answers for a week. */
export const LAKE_PREFIX = 'lake/';
export const ATHENA_PREFIX = 'athena/';
export const busName = (stage: Stage): string => `kairos-${stage}`;

/** `record-interaction` → `RecordInteraction`: the id in the stack. */
export const pascal = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
