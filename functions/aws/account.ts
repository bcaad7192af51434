// The account's limits and standing at SES: read once a minute into one item, from which every worker reads.
import { GetAccountCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import type { Account } from '../../domain/allowance.ts';
import { type Item, key, type Table } from './table.ts';

export interface AccountDeps {
  table: Table;
  ses: SESv2Client;
  now: () => number;
}

/**
 * Asks SES once and keeps what it says. Throws when SES cannot be reached or says too little; what was read before
 * stays as it is.
 */
export async function readAccount({ table, ses, now }: AccountDeps): Promise<Account> {
  const { SendQuota, SendingEnabled, ProductionAccessEnabled, EnforcementStatus } = await ses.send(
    new GetAccountCommand({}),
  );
  const { Max24HourSend, MaxSendRate, SentLast24Hours } = SendQuota ?? {};
  if (Max24HourSend === undefined || MaxSendRate === undefined || SentLast24Hours === undefined) {
    throw new Error('account: SES did not say its quota');
  }
  const account: Account = {
    at: now(),
    maxRate: MaxSendRate,
    max24h: Max24HourSend,
    sent24h: SentLast24Hours,
    sendingEnabled: SendingEnabled ?? true,
    production: ProductionAccessEnabled ?? false,
    enforcement: EnforcementStatus ?? 'HEALTHY',
  };
  const said = Object.entries(account);
  // Attribute by attribute: what else stands on the item stays.
  await table.update(key.account(), {
    UpdateExpression: `SET shape = :shape, ${said.map(([name]) => `#${name} = :${name}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(said.map(([name]) => [`#${name}`, name])),
    ExpressionAttributeValues: { ':shape': 1, ...Object.fromEntries(said.map(([name, value]) => [`:${name}`, value])) },
  });
  return account;
}

/** The account from its item; undefined before it was read for the first time. */
export function accountOf(item: Item | undefined): Account | undefined {
  if (item === undefined || typeof item.maxRate !== 'number') return undefined;
  const { at, maxRate, max24h, sent24h, sendingEnabled, production, enforcement } = item as Item & Account;
  return { at, maxRate, max24h, sent24h, sendingEnabled, production, enforcement };
}

/** Reading twice is harmless, but the next minute asks again anyway. */
export function accountClient(): SESv2Client {
  return new SESv2Client({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
  });
}
