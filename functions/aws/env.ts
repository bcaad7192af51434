// The environment variables of the functions: their names, and how one is read.

/** Names of environment variables; the stack sets them, the functions read them. */
export const variable = {
  stage: 'STAGE',
  table: 'TABLE_NAME',
  bucket: 'BUCKET_NAME',
  bus: 'BUS_NAME',
  shards: 'DUE_SHARDS',
  service: 'POWERTOOLS_SERVICE_NAME',
  secret: 'SECRET_NAME',
  deadLetters: 'DEAD_LETTERS_URL',
  triggeredQueue: 'TRIGGERED_QUEUE_URL',
  bulkQueue: 'BULK_QUEUE_URL',
  timersQueue: 'TIMERS_QUEUE_URL',
  rosterQueue: 'ROSTER_QUEUE_URL',
  configurationSet: 'CONFIGURATION_SET',
  trackedConfigurationSet: 'TRACKED_CONFIGURATION_SET',
  publicBaseUrl: 'PUBLIC_BASE_URL',
  sendRate: 'SEND_RATE',
  rateShare: 'RATE_SHARE',
  backfillRate: 'BACKFILL_RATE',
  workgroup: 'WORKGROUP_NAME',
  database: 'DATABASE_NAME',
  allowedRecipients: 'ALLOWED_RECIPIENTS',
} as const;
export type Variable = keyof typeof variable;

/** The value of a variable. Throws when it is missing or empty: a fault of the deployment. */
export function env(name: Variable): string {
  const value = process.env[variable[name]];
  if (value === undefined || value === '') throw new Error(`environment: ${variable[name]} is not set`);
  return value;
}

/** The value of a variable that may be absent. */
export function envOptional(name: Variable): string | undefined {
  const value = process.env[variable[name]];
  return value === '' ? undefined : value;
}

/** A variable that holds a whole number of at least 1. */
export function envNumber(name: Variable): number {
  const value = Number(env(name));
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`environment: ${variable[name]} is ${JSON.stringify(env(name))}, expected a whole number from 1`);
  }
  return value;
}

/** A variable that holds a share, above 0 and at most 1; 1 where it is absent. */
export function envShare(name: Variable): number {
  const text = envOptional(name);
  const value = text === undefined ? 1 : Number(text);
  if (!(value > 0 && value <= 1)) {
    throw new Error(`environment: ${variable[name]} is ${JSON.stringify(text)}, expected a share above 0, at most 1`);
  }
  return value;
}
