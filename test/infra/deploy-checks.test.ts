// What `npm run deploy` finds out before it creates anything.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CloudFormationClient, DescribeStacksCommand, GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetAccountCommand, GetEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { contextOf } from '../../cli/deploy.ts';
import { type Answers, remember, remembered, settle, suggestions } from '../../cli/deploy-answers.ts';
import { check, type Findings, rateOf, replaced, type Template } from '../../cli/deploy-checks.ts';
import { CONTEXT_NAMES } from '../../infra/settings.ts';
import { synthesise } from './synthesised.ts';

const answers: Answers = {
  stage: 'prod',
  region: 'eu-central-1',
  sender: 'hello@shop.example',
  mailDomain: 'shop.example',
  publicBaseUrl: 'https://mail.shop.example',
  certificateArn: 'arn:aws:acm:eu-central-1:123456789012:certificate/0f9c2b1e-5a3d-4c67-8e21-9b7d6a4f3c10',
  alarmAddress: 'ops@shop.example',
  postalAddress: 'Shop Ltd, 1 Road, 10115 Berlin',
  replyTo: 'care@shop.example',
};

const settings = {
  brands: {
    shop: {
      name: 'Shop',
      legalName: 'Shop Ltd',
      postalAddress: 'Shop Ltd, 1 Road, 10115 Berlin',
      site: 'https://shop.example',
      colours: { accent: '#112233', text: '#000000', background: '#ffffff' },
    },
  },
  senders: { main: { brand: 'shop', name: 'Shop', from: 'hello@shop.example', replyTo: 'care@shop.example' } },
  currency: 'EUR',
  zone: 'Europe/Berlin',
  locales: ['en'],
  topics: { offers: { title: 'Offers' } },
  caps: [],
};

const template = synthesise('prod').core.toJSON() as Template;
const clients = {
  sts: new STSClient({}),
  cloudFormation: new CloudFormationClient({}),
  ses: new SESv2Client({}),
  lambda: new LambdaClient({}),
};
const sts = mockClient(clients.sts);
const cloudFormation = mockClient(clients.cloudFormation);
const ses = mockClient(clients.ses);
const lambda = mockClient(clients.lambda);

const absent = Object.assign(new Error('queryTxt ENOTFOUND'), { code: 'ENOTFOUND' });
const named = (name: string, message = name) => Object.assign(new Error(message), { name });
let dns: Record<string, string[][]>;
let file: unknown;
let next: Template;

const look = (more: Partial<Answers> = {}): Promise<Findings> =>
  check(
    { ...answers, ...more },
    {
      ...clients,
      resolveTxt: async (name) => dns[name] ?? Promise.reject(absent),
      settings: async () => file,
      synthesise: async () => next,
    },
  );
const codes = async (more?: Partial<Answers>) => (await look(more)).faults.map(({ code }) => code);

beforeEach(() => {
  for (const mock of [sts, cloudFormation, ses, lambda]) mock.reset();
  dns = { '_dmarc.shop.example': [['v=DMARC1; ', 'p=none; rua=mailto:dmarc@shop.example']] };
  file = structuredClone(settings);
  next = structuredClone(template);
  sts.on(GetCallerIdentityCommand).resolves({ Account: '123456789012' });
  cloudFormation.on(DescribeStacksCommand, { StackName: 'CDKToolkit' }).resolves({
    Stacks: [
      {
        StackName: 'CDKToolkit',
        CreationTime: new Date(0),
        StackStatus: 'UPDATE_COMPLETE',
        Outputs: [{ OutputKey: 'BootstrapVersion', OutputValue: '30' }],
      },
    ],
  });
  cloudFormation
    .on(DescribeStacksCommand, { StackName: 'Kairos-prod' })
    .rejects(named('ValidationError', 'Stack with id Kairos-prod does not exist'));
  ses.on(GetEmailIdentityCommand).resolves({
    VerifiedForSendingStatus: true,
    DkimAttributes: { Status: 'SUCCESS', SigningEnabled: true },
    MailFromAttributes: {
      MailFromDomain: 'bounce.shop.example',
      MailFromDomainStatus: 'SUCCESS',
      BehaviorOnMxFailure: 'USE_DEFAULT_VALUE',
    },
  });
  ses.on(GetAccountCommand).resolves({
    SendingEnabled: true,
    ProductionAccessEnabled: true,
    EnforcementStatus: 'HEALTHY',
    SendQuota: { MaxSendRate: 50, Max24HourSend: 100_000 },
  });
  lambda
    .on(GetAccountSettingsCommand)
    .resolves({ AccountLimit: { ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 1000 } });
});

const isDeployed = (
  StackStatus: 'UPDATE_COMPLETE' | 'UPDATE_IN_PROGRESS' | 'ROLLBACK_COMPLETE' = 'UPDATE_COMPLETE',
) => {
  cloudFormation
    .on(DescribeStacksCommand, { StackName: 'Kairos-prod' })
    .resolves({ Stacks: [{ StackName: 'Kairos-prod', CreationTime: new Date(0), StackStatus }] });
  cloudFormation.on(GetTemplateCommand).resolves({ TemplateBody: JSON.stringify(template) });
};

describe('given an account in order', () => {
  it('finds nothing in the way, and takes rate and quota from SES', async () => {
    expect(await look()).toEqual({
      faults: [],
      warnings: [expect.stringContaining('aws acm describe-certificate')],
      account: '123456789012',
      profile: 'normal',
      sendRate: 50,
      accountRate: 50,
      dailyQuota: 100_000,
      sandbox: false,
      deployed: false,
    });
  });

  it('finds nothing in the way of the same stack again', async () => {
    isDeployed();
    expect(await look()).toMatchObject({ faults: [], warnings: [], deployed: true });
  });

  it('creates nothing: every call only reads', async () => {
    isDeployed();
    await look();
    const called = [sts, cloudFormation, ses, lambda].flatMap((mock) =>
      mock.calls().map(({ args }) => args[0].constructor.name),
    );
    expect(called.length).toBeGreaterThan(5);
    for (const name of called) expect(name).toMatch(/^(Get|Describe)/);
  });
});

describe('given faults everywhere', () => {
  it('says them all in one list, each with what to do', async () => {
    dns = {};
    file = { ...settings, senders: { main: { ...settings.senders.main, from: 'hello@other.example' } } };
    cloudFormation
      .on(DescribeStacksCommand, { StackName: 'CDKToolkit' })
      .rejects(named('ValidationError', 'Stack with id CDKToolkit does not exist'));
    ses
      .on(GetEmailIdentityCommand)
      .resolves({ VerifiedForSendingStatus: false, DkimAttributes: { Status: 'PENDING', SigningEnabled: true } });
    ses.on(GetAccountCommand).resolves({
      SendingEnabled: false,
      ProductionAccessEnabled: false,
      SendQuota: { MaxSendRate: 1, Max24HourSend: 200 },
    });
    lambda
      .on(GetAccountSettingsCommand)
      .resolves({ AccountLimit: { ConcurrentExecutions: 10, UnreservedConcurrentExecutions: 10 } });
    isDeployed('UPDATE_IN_PROGRESS');
    const { faults } = await look({ sendRate: 14, profile: 'normal' });
    expect(faults.map(({ code }) => code).sort()).toEqual(
      [
        'bootstrap.missing',
        'dmarc.missing',
        'identity.dkim',
        'identity.mail-from',
        'identity.unverified',
        'lambda.concurrency',
        'ses.paused',
        'ses.rate',
        'ses.sandbox',
        'settings.sender',
        'settings.sender',
        'stack.busy',
      ].sort(),
    );
    for (const fault of faults)
      expect({ code: fault.code, remedy: fault.remedy }).toEqual({
        code: fault.code,
        remedy: expect.stringMatching(/\w{3}/),
      });
  });

  it('without credentials still says what needs none, and does not repeat itself for every service', async () => {
    sts.on(GetCallerIdentityCommand).rejects(named('ExpiredTokenException'));
    dns = {};
    expect(await codes()).toEqual(['dmarc.missing', 'credentials.missing']);
    expect(ses.calls()).toHaveLength(0);
  });

  it('a check that may not be made is a fault, not a crash', async () => {
    ses.on(GetAccountCommand).rejects(named('AccessDeniedException', 'not authorized'));
    const { faults } = await look();
    expect(faults).toMatchObject([{ code: 'ses.unchecked', remedy: 'Deploy with a role that may read it.' }]);
  });
});

describe('given one thing that is not in order', () => {
  it('names an old bootstrap stack', async () => {
    cloudFormation.on(DescribeStacksCommand, { StackName: 'CDKToolkit' }).resolves({
      Stacks: [
        {
          StackName: 'CDKToolkit',
          CreationTime: new Date(0),
          StackStatus: 'CREATE_COMPLETE',
          Outputs: [{ OutputKey: 'BootstrapVersion', OutputValue: '5' }],
        },
      ],
    });
    expect(await codes()).toEqual(['bootstrap.old']);
  });

  it('names an identity that SES does not have', async () => {
    ses.on(GetEmailIdentityCommand).rejects(named('NotFoundException'));
    expect(await codes()).toEqual(['identity.missing']);
  });

  it('takes DMARC from the domain above, as receivers do', async () => {
    expect(await codes({ mailDomain: 'news.shop.example', sender: 'hello@news.shop.example' })).not.toContain(
      'dmarc.missing',
    );
  });

  it.each([
    ['two records', [['v=DMARC1; p=none'], ['v=DMARC1; p=reject']]],
    ['a record without policy', [['v=DMARC1; rua=mailto:x@shop.example']]],
  ])('refuses %s of DMARC', async (_, records) => {
    dns = { '_dmarc.shop.example': records };
    expect(await codes()).toEqual(['dmarc.invalid']);
  });

  it('does not take another TXT record for DMARC', async () => {
    dns = { '_dmarc.shop.example': [['google-site-verification=1']] };
    expect(await codes()).toEqual(['dmarc.missing']);
  });

  it('a resolver that fails is no missing record', async () => {
    const failing = check(answers, {
      ...clients,
      resolveTxt: () => Promise.reject(Object.assign(new Error('queryTxt ETIMEOUT'), { code: 'ETIMEOUT' })),
      settings: async () => file,
      synthesise: async () => next,
    });
    expect((await failing).faults.map(({ code }) => code)).toEqual(['dmarc.unchecked']);
  });

  it('takes the small profile where Lambda has little concurrency, and says so', async () => {
    lambda
      .on(GetAccountSettingsCommand)
      .resolves({ AccountLimit: { ConcurrentExecutions: 10, UnreservedConcurrentExecutions: 10 } });
    expect(await look()).toMatchObject({
      faults: [],
      profile: 'small',
      warnings: [expect.stringContaining('only 10'), expect.stringContaining('certificate')],
    });
  });

  it('stage dev may be in the sandbox and without DMARC; its operator is told', async () => {
    ses.on(GetAccountCommand).resolves({
      SendingEnabled: true,
      ProductionAccessEnabled: false,
      SendQuota: { MaxSendRate: 1, Max24HourSend: 200 },
    });
    cloudFormation
      .on(DescribeStacksCommand, { StackName: 'Kairos-dev' })
      .rejects(named('ValidationError', 'Stack with id Kairos-dev does not exist'));
    dns = {};
    const findings = await look({ stage: 'dev' });
    expect(findings).toMatchObject({ faults: [], sandbox: true, sendRate: 1, dailyQuota: 200 });
    expect(findings.warnings).toEqual([expect.stringContaining('sandbox'), expect.stringContaining('DMARC')]);
  });

  it('an account under review is a warning', async () => {
    ses.on(GetAccountCommand).resolves({
      SendingEnabled: true,
      ProductionAccessEnabled: true,
      EnforcementStatus: 'PROBATION',
      SendQuota: { MaxSendRate: 50, Max24HourSend: 100_000 },
    });
    isDeployed();
    expect((await look()).warnings).toEqual([expect.stringContaining('under review')]);
  });

  it('holds postal address and reply-to against templates/settings.json', async () => {
    expect(await codes({ postalAddress: 'Shop GmbH, 2 Street, 10115 Berlin', replyTo: 'no@shop.example' })).toEqual([
      'settings.reply-to',
      'settings.postal-address',
    ]);
    expect(await codes({ postalAddress: 'shop ltd\n1 Road\n10115 Berlin' })).toEqual([]);
  });

  it('names the place of a fault in templates/settings.json', async () => {
    file = { ...settings, currency: 'euro' };
    expect((await look()).faults).toMatchObject([{ file: 'templates/settings.json', path: 'currency' }]);
    file = undefined;
    expect(await codes()).toEqual(['settings.missing']);
  });

  it.each([
    ['certificate.region', 'arn:aws:acm:us-east-1:123456789012:certificate/0f9c2b1e-5a3d-4c67-8e21-9b7d6a4f3c10'],
    ['certificate.account', 'arn:aws:acm:eu-central-1:210987654321:certificate/0f9c2b1e-5a3d-4c67-8e21-9b7d6a4f3c10'],
    ['certificate.invalid', 'arn:aws:acm:eu-central-1:123456789012:certificate/mine'],
  ])('%s: a certificate that cannot fit is told before anything is created', async (code, certificateArn) => {
    expect(await codes({ certificateArn })).toEqual([code]);
  });

  it('stage dev stands under function URLs: its certificate is not looked at', async () => {
    cloudFormation
      .on(DescribeStacksCommand, { StackName: 'Kairos-dev' })
      .rejects(named('ValidationError', 'Stack with id Kairos-dev does not exist'));
    expect(
      await codes({ stage: 'dev', certificateArn: 'arn:aws:acm:us-east-1:210987654321:certificate/mine' }),
    ).toEqual([]);
  });

  it('opens that are asked for where no configuration set tells them are a warning', async () => {
    isDeployed();
    file = { ...settings, tracking: { opens: true } };
    expect((await look()).warnings).toEqual([expect.stringContaining('--track-opens true')]);
    expect((await look({ trackOpens: true })).warnings).toEqual([]);
    file = { ...settings, tracking: { opens: false } };
    expect((await look()).warnings).toEqual([]);
  });

  it('a stack that never came up has to go first', async () => {
    isDeployed('ROLLBACK_COMPLETE');
    expect(await codes()).toEqual(['stack.broken']);
  });
});

describe('given a deployed stack, an update that loses data is refused', () => {
  it.each(
    Object.entries(template.Resources).filter(([, { Type }]) =>
      /GlobalTable|::Bucket$|::Secret$|ConfigurationSet$/.test(Type),
    ),
  )('%s under another id', async (id) => {
    isDeployed();
    next.Resources[`${id}2`] = next.Resources[id]!;
    delete next.Resources[id];
    expect((await look()).faults).toMatchObject([{ code: 'stack.stateful-gone', path: id }]);
  });

  it('a table with another key, a bucket with another name', () => {
    const table = Object.entries(next.Resources).find(([, { Type }]) => Type === 'AWS::DynamoDB::GlobalTable')!;
    const bucket = Object.entries(next.Resources).find(([, { Type }]) => Type === 'AWS::S3::Bucket')!;
    table[1].Properties!.KeySchema = [{ AttributeName: 'id', KeyType: 'HASH' }];
    bucket[1].Properties!.BucketName = 'mine';
    expect(replaced(template, next).map(({ code, path }) => [code, path])).toEqual([
      ['stack.stateful-replaced', `${table[0]}.KeySchema`],
      ['stack.stateful-replaced', `${bucket[0]}.BucketName`],
    ]);
  });

  it('the configuration set that tells opens: its bounces and complaints still come', async () => {
    const tracking = synthesise('prod', { trackOpens: true }).core.toJSON() as Template;
    expect(replaced(tracking, template)).toMatchObject([
      { code: 'stack.stateful-gone', remedy: expect.stringContaining('--track-opens true') },
    ]);
    expect(replaced(template, tracking)).toEqual([]);
  });

  it('another number of shards, which would hide what waits in the due index', () => {
    const more = synthesise('prod', { dueShards: 64 }).core.toJSON() as Template;
    expect(replaced(template, more)).toMatchObject([{ code: 'stack.shards', received: '64', expected: '32' }]);
  });

  it('a new index, a longer timeout or a new queue is no loss', () => {
    const table = Object.values(next.Resources).find(({ Type }) => Type === 'AWS::DynamoDB::GlobalTable')!;
    table.Properties!.GlobalSecondaryIndexes = [];
    next.Resources.Another = { Type: 'AWS::SQS::Queue', Properties: {} };
    expect(replaced(template, next)).toEqual([]);
  });
});

describe('the answers', () => {
  it('of a stage are complete, or every gap is named with its flag', () => {
    const settled = settle({
      stage: 'prod',
      region: 'eu-central-1',
      sender: 'Hello@Shop.example',
      mailDomain: 'shop.example',
    });
    expect('faults' in settled && settled.faults.map(({ path, remedy }) => [path, remedy])).toEqual([
      ['postalAddress', 'Give --postal-address.'],
      ['publicBaseUrl', 'Give --public-base-url.'],
      ['certificateArn', 'Give --certificate-arn.'],
      ['alarmAddress', 'Give --alarm-address.'],
    ]);
  });

  it('of stage dev need no domain', () => {
    const settled = settle({
      stage: 'dev',
      region: 'eu-central-1',
      sender: 'Hello@Shop.example',
      mailDomain: 'shop.example',
      postalAddress: 'Shop Ltd, 1 Road',
      publicBaseUrl: '',
    });
    expect(settled).toEqual({
      answers: {
        stage: 'dev',
        region: 'eu-central-1',
        sender: 'hello@shop.example',
        mailDomain: 'shop.example',
        postalAddress: 'Shop Ltd, 1 Road',
      },
    });
  });

  it('hold the share of the rate and whether opens are told, also when they come from the last time', () => {
    const draft = {
      stage: 'dev',
      region: 'eu-central-1',
      sender: 'hello@shop.example',
      mailDomain: 'shop.example',
      postalAddress: 'Shop Ltd, 1 Road',
    };
    const settled = settle({ ...draft, rateShare: '0.5', trackOpens: 'true' });
    if ('faults' in settled) throw new Error('refused');
    expect(settled.answers).toMatchObject({ rateShare: 0.5, trackOpens: true });
    expect(settle({ ...draft, trackOpens: 'false' })).toMatchObject({ answers: { trackOpens: false } });
    expect(contextOf(settled.answers, { profile: 'normal', sendRate: 14 })).toEqual(
      expect.arrayContaining(['rateShare=0.5', 'trackOpens=true', 'sendRate=14']),
    );
    const root = mkdtempSync(path.join(tmpdir(), 'kairos-answers-'));
    try {
      remember(root, settled.answers);
      expect(settle(remembered(root, 'dev'))).toEqual(settled);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it.each([
    ['rateShare', '0', '--rate-share'],
    ['rateShare', '1.5', '--rate-share'],
    ['rateShare', 'half', '--rate-share'],
    ['trackOpens', 'yes', '--track-opens'],
  ])('%s cannot be %s', (name, value) => {
    const settled = settle({
      stage: 'dev',
      region: 'eu-central-1',
      sender: 'hello@shop.example',
      mailDomain: 'shop.example',
      postalAddress: 'Shop Ltd, 1 Road',
      [name]: value,
    });
    expect('faults' in settled && settled.faults).toMatchObject([
      { code: 'answer.invalid', path: name, received: value, expected: expect.stringMatching(/0\.5|true or false/) },
    ]);
  });

  it('every context value that a deployment decides is one that the stack knows, and the reverse', () => {
    const all = {
      ...answers,
      allowedRecipients: 'a@shop.example',
      rateShare: 1,
      trackOpens: false,
      dueShards: 32,
      backfillRate: 50,
    };
    const given = contextOf(all, { profile: 'normal', sendRate: 14 }).filter((part) => part !== '-c');
    expect(given.map((part) => part.split('=')[0]).sort()).toEqual([...CONTEXT_NAMES].sort());
  });

  it.each([
    [{}, { sendRate: 50, accountRate: 50 }, 50],
    [{ rateShare: 0.5 }, { sendRate: 50, accountRate: 50 }, 25],
    [{ rateShare: 0.29 }, { sendRate: 100, accountRate: 100 }, 29],
    [{ rateShare: 0.5 }, { sendRate: 10, accountRate: 50 }, 10],
    [{ rateShare: 0.01 }, { sendRate: 14, accountRate: 14 }, 1],
    [{}, { sendRate: 14 }, 14],
  ])('%j with %j mean %i e-mails a second', (share, found, rate) => {
    expect(rateOf(share, found)).toBe(rate);
  });

  it('are suggested from templates/settings.json', () => {
    expect(suggestions(settings)).toEqual({
      sender: 'hello@shop.example',
      mailDomain: 'shop.example',
      replyTo: 'care@shop.example',
      postalAddress: 'Shop Ltd, 1 Road, 10115 Berlin',
    });
    expect(suggestions(undefined)).toEqual({});
  });
});
