// The settings of a stage: defaults, and faults that say what to give.
import { describe, expect, it } from 'vitest';
import { readSettings, SettingsError } from '../../infra/settings.ts';
import { CONTEXT } from './synthesised.ts';

const faultsOf = (raw: Record<string, unknown>): readonly string[] => {
  try {
    readSettings(raw);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
};

describe('Settings: what an operator decides about a stage', () => {
  it('Settings1: the laptop needs nothing', () => {
    expect(readSettings({ stage: 'laptop' })).toEqual({
      stage: 'laptop',
      mailDomain: 'shop.example',
      sendRate: 500,
      rateShare: 1,
      backfillRate: 3000,
      trackOpens: false,
      dueShards: 2,
      profile: 'normal',
      keepsData: false,
      ownDomain: false,
    });
  });

  it('Settings2: prod keeps its data, stands under its own domain and sends 14 a second over 32 shards', () => {
    expect(readSettings(CONTEXT.prod)).toMatchObject({
      keepsData: true,
      ownDomain: true,
      sendRate: 14,
      dueShards: 32,
      backfillRate: 200,
      profile: 'normal',
    });
  });

  it('Settings8: a small account walks its contacts at a quarter of the rate, unless it is told another', () => {
    expect(readSettings({ ...CONTEXT.prod, profile: 'small' }).backfillRate).toBe(50);
    expect(readSettings({ ...CONTEXT.prod, profile: 'small', backfillRate: '120' }).backfillRate).toBe(120);
  });

  it('Settings3: numbers and lists may come as text, as the command line gives them', () => {
    expect(
      readSettings({ ...CONTEXT.dev, sendRate: '3', allowedRecipients: 'ann@shop.example, test.example' }),
    ).toMatchObject({
      sendRate: 3,
      allowedRecipients: ['ann@shop.example', 'test.example'],
    });
    expect(readSettings({ ...CONTEXT.dev, allowedRecipients: '["ann@shop.example"]' })).toMatchObject({
      allowedRecipients: ['ann@shop.example'],
    });
  });

  it('Settings7: share and opens may come as text too', () => {
    expect(readSettings({ ...CONTEXT.prod, rateShare: '0.25', trackOpens: 'true' })).toMatchObject({
      rateShare: 0.25,
      trackOpens: true,
    });
    expect(readSettings({ ...CONTEXT.prod, rateShare: 1, trackOpens: 'false' })).toMatchObject({
      rateShare: 1,
      trackOpens: false,
    });
  });

  it('Settings4: everything that prod misses is said at once', () => {
    expect(faultsOf({ stage: 'prod' }).map((fault) => fault.split(':')[0])).toEqual([
      'mailDomain',
      'publicBaseUrl',
      'certificateArn',
      'alarmAddress',
    ]);
  });

  it.each([
    [{ stage: 'production' }, 'stage', '"production"'],
    [{}, 'stage', 'missing'],
    [{ ...CONTEXT.prod, publicBaseUrl: 'http://mail.shop.example' }, 'publicBaseUrl', 'an https address'],
    [{ ...CONTEXT.prod, publicBaseUrl: 'https://shop.example/mail' }, 'publicBaseUrl', 'without port and path'],
    [{ ...CONTEXT.prod, mailDomain: 'ann@shop.example' }, 'mailDomain', 'a domain in small letters'],
    [{ ...CONTEXT.prod, sendRate: 'fast' }, 'sendRate', '"fast"'],
    [{ ...CONTEXT.prod, sendRate: 0 }, 'sendRate', '>=1'],
    [{ ...CONTEXT.prod, backfillRate: 0 }, 'backfillRate', '>=1'],
    [{ ...CONTEXT.prod, backfillRate: '10000' }, 'backfillRate', '<=3000'],
    [{ ...CONTEXT.prod, rateShare: 0 }, 'rateShare', 'above 0 and up to 1'],
    [{ ...CONTEXT.prod, rateShare: '1.01' }, 'rateShare', '"1.01"'],
    [{ ...CONTEXT.prod, rateShare: '50%' }, 'rateShare', 'such as 0.5'],
    [{ ...CONTEXT.prod, trackOpens: 'yes' }, 'trackOpens', 'true or false'],
    [{ ...CONTEXT.prod, trackOpens: 1 }, 'trackOpens', 'true or false'],
    [{ ...CONTEXT.prod, allowedRecipients: 'ann@shop.example' }, 'allowedRecipients', 'stage dev'],
    [{ ...CONTEXT.dev, allowedRecipients: 'ann' }, 'allowedRecipients.0', 'an e-mail address or a domain'],
    [{ ...CONTEXT.prod, certificateArn: 'certificate' }, 'certificateArn', 'ACM'],
  ])('Settings5: %j is refused at %s, naming %s', (raw, place, says) => {
    const faults = faultsOf(raw);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`${place}:`);
    expect(faults[0]).toContain(says);
  });

  it('Settings6: a slash at the end of the public address is dropped', () => {
    expect(readSettings({ ...CONTEXT.prod, publicBaseUrl: 'https://mail.shop.example/' }).publicBaseUrl).toBe(
      'https://mail.shop.example',
    );
  });
});
