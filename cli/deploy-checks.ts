// What must hold before anything is created in an AWS account: each check adds its faults to one list.
import { CloudFormationClient, DescribeStacksCommand, GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetAccountCommand, GetEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { allowance } from '../domain/allowance.ts';
import { type Fault, sayFault } from '../domain/fault.ts';
import { Settings } from '../domain/settings.ts';
import { faultsOf } from '../domain/shape-faults.ts';
import { coreStackName } from '../infra/names.ts';
import type { Answers } from './deploy-answers.ts';

/** CDK's bootstrap stack must be at least of this version. */
const BOOTSTRAP = 6;
/** Concurrent executions under which queues are read with the least concurrency that Lambda allows. */
const SMALL_BELOW = 100;

/** What the checks found out, for the deployment and for its reader. */
export interface Findings {
  faults: Fault[];
  /** What an operator should know and may accept. */
  warnings: string[];
  account?: string;
  profile: 'normal' | 'small';
  /** E-mails a second that the stage never exceeds. */
  sendRate: number;
  /** E-mails a second that SES allows the whole account. */
  accountRate?: number;
  dailyQuota?: number;
  sandbox?: boolean;
  /** The core stack exists already. */
  deployed: boolean;
}

export interface Template {
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
}

/** Where the checks look; tests give their own. */
export interface World {
  sts: STSClient;
  cloudFormation: CloudFormationClient;
  ses: SESv2Client;
  lambda: LambdaClient;
  /** TXT records of a name; throws an error with code ENOTFOUND or ENODATA when there are none. */
  resolveTxt(name: string): Promise<string[][]>;
  /** templates/settings.json, parsed; undefined when it cannot be read. */
  settings(): Promise<unknown>;
  /** The core template as this working copy would deploy it. */
  synthesise(findings: Findings): Promise<Template>;
}

/** The world that a deployment is checked against: AWS of a region, through its clients, and the rest as given. */
export function worldOf(region: string, rest: Pick<World, 'resolveTxt' | 'settings' | 'synthesise'>): World {
  const settings = { region };
  return {
    sts: new STSClient(settings),
    cloudFormation: new CloudFormationClient(settings),
    ses: new SESv2Client(settings),
    lambda: new LambdaClient(settings),
    ...rest,
  };
}

/** Runs every check and gives back all faults in one list, with what was learnt. Creates nothing, throws nothing. */
export async function check(answers: Answers, world: World): Promise<Findings> {
  const findings: Findings = {
    faults: [],
    warnings: [],
    profile: answers.profile ?? 'normal',
    sendRate: answers.sendRate ?? 14,
    deployed: false,
  };
  await guarded(findings, 'dmarc', 'DMARC', () => checkDmarc(answers, world, findings));
  await guarded(findings, 'settings', 'templates/settings.json', () => checkSettings(answers, world, findings));
  // Without credentials every other call fails with the same reason, which says nothing new.
  if (await checkCredentials(world, findings)) {
    await Promise.all([
      guarded(findings, 'bootstrap', 'the CDK bootstrap stack', () => checkBootstrap(answers, world, findings)),
      guarded(findings, 'identity', 'the SES identity', () => checkIdentity(answers, world, findings)),
      guarded(findings, 'ses', 'the SES account', () => checkAccount(answers, world, findings)),
      guarded(findings, 'lambda', 'the concurrency of Lambda', () => checkConcurrency(answers, world, findings)),
    ]);
    await guarded(findings, 'stack', 'the deployed stack', () => checkStack(answers, world, findings));
    checkCertificate(answers, findings);
  }
  if (answers.stage === 'dev') forgive(findings);
  return findings;
}

/** What only the mail of real customers needs is a warning on a trial stage. */
function forgive(findings: Findings): void {
  const forgivable = ['dmarc.missing', 'dmarc.invalid', 'identity.mail-from'];
  findings.warnings.push(...findings.faults.filter(({ code }) => forgivable.includes(code)).map(sayFault));
  findings.faults = findings.faults.filter(({ code }) => !forgivable.includes(code));
}

/** A check that cannot be made is a fault too, not a crash. */
async function guarded(findings: Findings, code: string, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { name, message } = error as Error;
    findings.faults.push({
      code: `${code}.unchecked`,
      path: '',
      message: `Could not look at ${what}: ${name}: ${message}`,
      remedy: /AccessDenied|NotAuthorized|UnauthorizedOperation/.test(name)
        ? 'Deploy with a role that may read it.'
        : 'Try again; if it stays, this is the first thing to solve.',
    });
  }
}

async function checkCredentials(world: World, findings: Findings): Promise<boolean> {
  try {
    const { Account } = await world.sts.send(new GetCallerIdentityCommand({}));
    if (Account) findings.account = Account;
    return true;
  } catch (error) {
    const expired = /Expired/.test((error as Error).name);
    findings.faults.push({
      code: 'credentials.missing',
      path: '',
      message: expired ? 'Your AWS credentials have expired.' : `AWS does not know you (${(error as Error).name}).`,
      remedy: 'Sign in (aws sso login, or set AWS_PROFILE), then run this again. What needs AWS was not checked.',
    });
    return false;
  }
}

async function checkBootstrap(answers: Answers, world: World, findings: Findings): Promise<void> {
  const remedy = `Run npx cdk bootstrap aws://${findings.account ?? '<account>'}/${answers.region} as docs/operate.md says (with its narrow policy).`;
  const stack = await describe(world, 'CDKToolkit');
  if (stack === undefined) {
    findings.faults.push({
      code: 'bootstrap.missing',
      path: '',
      message: `Account and region ${answers.region} are not prepared for CDK.`,
      remedy,
    });
    return;
  }
  const version = Number(stack.Outputs?.find(({ OutputKey }) => OutputKey === 'BootstrapVersion')?.OutputValue);
  if (!(version >= BOOTSTRAP)) {
    findings.faults.push({
      code: 'bootstrap.old',
      path: '',
      message: `The CDK bootstrap stack has version ${Number.isNaN(version) ? 'none' : version}, ${BOOTSTRAP} is needed.`,
      received: String(version),
      expected: `${BOOTSTRAP}`,
      remedy,
    });
  }
}

async function checkIdentity(answers: Answers, world: World, findings: Findings): Promise<void> {
  const { mailDomain } = answers;
  const fault = (code: string, message: string, remedy: string) =>
    findings.faults.push({ code, path: mailDomain, message, remedy });
  try {
    const identity = await world.ses.send(new GetEmailIdentityCommand({ EmailIdentity: mailDomain }));
    if (!identity.VerifiedForSendingStatus) {
      fault(
        'identity.unverified',
        'SES has not verified this domain.',
        'Put the records that SES shows for it into your DNS, and wait until it says verified.',
      );
    }
    if (identity.DkimAttributes?.Status !== 'SUCCESS' || !identity.DkimAttributes.SigningEnabled) {
      fault(
        'identity.dkim',
        `DKIM is ${identity.DkimAttributes?.Status ?? 'not set up'}${identity.DkimAttributes?.SigningEnabled === false ? ', signing is off' : ''}.`,
        'Turn Easy DKIM on for it and put its three CNAME records into your DNS: one-click unsubscribe needs the signature.',
      );
    }
    if (identity.MailFromAttributes?.MailFromDomainStatus !== 'SUCCESS') {
      fault(
        'identity.mail-from',
        `The custom MAIL FROM domain is ${identity.MailFromAttributes?.MailFromDomainStatus ?? 'not set up'}.`,
        `Set one, such as bounce.${mailDomain}, with its MX and TXT records: SPF is aligned by it.`,
      );
    }
  } catch (error) {
    if ((error as Error).name !== 'NotFoundException') throw error;
    fault(
      'identity.missing',
      `SES in ${answers.region} has no identity for this domain.`,
      `Create it: aws sesv2 create-email-identity --email-identity ${mailDomain}, then put its records into your DNS.`,
    );
  }
}

async function checkDmarc(answers: Answers, world: World, findings: Findings): Promise<void> {
  const labels = answers.mailDomain.split('.');
  const asked: string[] = [];
  for (let from = 0; from <= labels.length - 2; from += 1) {
    const name = `_dmarc.${labels.slice(from).join('.')}`;
    asked.push(name);
    let records: string[][];
    try {
      records = await world.resolveTxt(name);
    } catch (error) {
      if (!['ENOTFOUND', 'ENODATA'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      continue;
    }
    const policies = records.map((parts) => parts.join('')).filter((record) => /^v=DMARC1\b/.test(record));
    if (policies.length === 0) continue;
    if (policies.length > 1 || !/;\s*p\s*=\s*(none|quarantine|reject)\s*(;|$)/i.test(policies[0]!)) {
      findings.faults.push({
        code: 'dmarc.invalid',
        path: name,
        message:
          policies.length > 1
            ? `${policies.length} DMARC records: receivers then use none.`
            : 'The DMARC record has no policy.',
        received: policies[0]!,
        expected: 'v=DMARC1; p=none',
        remedy: 'Keep one record, such as "v=DMARC1; p=none; rua=mailto:dmarc@…".',
      });
    }
    return;
  }
  findings.faults.push({
    code: 'dmarc.missing',
    path: asked[0]!,
    message: 'There is no DMARC record.',
    expected: 'v=DMARC1; p=none',
    remedy: 'Add a TXT record "v=DMARC1; p=none": Gmail, Yahoo and Microsoft refuse bulk mail without one.',
  });
}

async function checkAccount(answers: Answers, world: World, findings: Findings): Promise<void> {
  const account = await world.ses.send(new GetAccountCommand({}));
  const fault = (code: string, message: string, remedy: string) =>
    findings.faults.push({ code, path: '', message, remedy });
  findings.sandbox = account.ProductionAccessEnabled !== true;
  if (account.SendingEnabled === false || account.EnforcementStatus === 'SHUTDOWN') {
    fault(
      'ses.paused',
      'SES has paused sending for this account.',
      'Answer the case that AWS opened about it; nothing is delivered until then.',
    );
  } else if (account.EnforcementStatus === 'PROBATION') {
    findings.warnings.push(
      'SES has this account under review: bulk sending may be paused. Send little until the case is closed.',
    );
  }
  if (findings.sandbox) {
    const sentence = 'SES is in its sandbox: 200 e-mails a day, to verified addresses and the mailbox simulator only.';
    if (answers.stage === 'prod')
      fault('ses.sandbox', sentence, 'Ask for production access in the SES console first, or deploy stage dev.');
    else findings.warnings.push(`${sentence} Other recipients fail with "sandbox".`);
  }
  const { MaxSendRate, Max24HourSend } = account.SendQuota ?? {};
  if (Max24HourSend !== undefined && Max24HourSend > 0) findings.dailyQuota = Max24HourSend;
  if (MaxSendRate !== undefined && MaxSendRate > 0) {
    findings.accountRate = MaxSendRate;
    if (answers.sendRate === undefined) findings.sendRate = Math.max(1, Math.floor(MaxSendRate));
    else if (answers.sendRate > MaxSendRate) {
      fault(
        'ses.rate',
        `A send rate of ${answers.sendRate} a second is asked, SES allows ${MaxSendRate}.`,
        `Give --send-rate ${Math.floor(MaxSendRate)} or less, or ask AWS for more.`,
      );
    }
  }
}

/** What can be told of the certificate without asking ACM; what cannot is a warning that says how to look. */
function checkCertificate({ stage, region, certificateArn, publicBaseUrl }: Answers, findings: Findings): void {
  if (stage === 'dev' || certificateArn === undefined || publicBaseUrl === undefined) return;
  const [, , , arnRegion, arnAccount, resource = ''] = certificateArn.split(':');
  const fault = (what: string, message: string, received: string | undefined, expected: string, remedy: string) =>
    findings.faults.push({
      code: `certificate.${what}`,
      path: 'certificateArn',
      message,
      ...(received === undefined ? {} : { received }),
      expected,
      remedy,
    });
  const { host } = new URL(publicBaseUrl);
  if (!/^certificate\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(resource))
    fault(
      'invalid',
      'This names no certificate of ACM.',
      resource,
      'certificate/<id>',
      'Copy the whole ARN out of ACM.',
    );
  if (arnRegion !== region) {
    fault(
      'region',
      `The certificate is in ${arnRegion}, the stack in ${region}: the door takes one of its own region only.`,
      arnRegion,
      region,
      `Ask ACM in ${region} for a certificate of ${host}.`,
    );
  }
  if (findings.account !== undefined && arnAccount !== findings.account) {
    fault(
      'account',
      'The certificate belongs to another account.',
      arnAccount,
      findings.account,
      'Ask ACM of this account for one, or sign in to the other.',
    );
  }
  if (findings.deployed) return;
  findings.warnings.push(
    `Whether the certificate is issued and covers ${host} was not looked at; if not, the deployment fails and is taken back. To look: aws acm describe-certificate --certificate-arn ${certificateArn} --query Certificate.[Status,SubjectAlternativeNames]`,
  );
}

async function checkConcurrency(answers: Answers, world: World, findings: Findings): Promise<void> {
  const { AccountLimit } = await world.lambda.send(new GetAccountSettingsCommand({}));
  const free = AccountLimit?.UnreservedConcurrentExecutions ?? AccountLimit?.ConcurrentExecutions;
  if (free === undefined || free >= SMALL_BELOW) return;
  if (answers.profile === 'normal') {
    findings.faults.push({
      code: 'lambda.concurrency',
      path: '',
      message: `Lambda may run ${free} executions at once here; the normal profile wants ${SMALL_BELOW}.`,
      remedy: 'Leave --profile away (the small one is then used), or ask AWS for 1,000.',
    });
    return;
  }
  findings.profile = 'small';
  findings.warnings.push(
    `Lambda may run only ${free} executions at once here: the small profile is used. Ask AWS for 1,000 before a sale.`,
  );
}

async function checkSettings(answers: Answers, world: World, findings: Findings): Promise<void> {
  const file = 'templates/settings.json';
  const raw = await world.settings();
  if (raw === undefined) {
    findings.faults.push({
      code: 'settings.missing',
      file,
      path: '',
      message: 'The file cannot be read.',
      remedy: 'Start from the one that Kairos brings; npx kairos validate says what it needs.',
    });
    return;
  }
  const read = Settings.safeParse(raw);
  if (!read.success) {
    findings.faults.push(...faultsOf(read.error, { file, value: raw, schema: Settings }));
    return;
  }
  const { senders, brands, tracking } = read.data;
  if (tracking?.opens && !answers.trackOpens) {
    findings.warnings.push(
      `${file} asks for opens, and this stage has no configuration set that tells them: none will be seen. Give --track-opens true.`,
    );
  }
  for (const [name, { from }] of Object.entries(senders)) {
    if (from.toLowerCase().endsWith(`@${answers.mailDomain}`)) continue;
    findings.faults.push({
      code: 'settings.sender',
      file,
      path: `senders.${name}.from`,
      message: `${from} is not an address of ${answers.mailDomain}, and the stack may send from no other domain.`,
      received: from,
      expected: `…@${answers.mailDomain}`,
      remedy: `Write ${answers.sender}, or another address of that domain.`,
    });
  }
  const all = Object.entries(senders);
  const ours = all.filter(([, { from }]) => from.toLowerCase() === answers.sender.toLowerCase());
  if (ours.length === 0) {
    findings.faults.push({
      code: 'settings.sender',
      file,
      path: 'senders',
      message: `No sender writes as ${answers.sender}.`,
      expected: answers.sender,
      remedy: 'Add it as "from" of a sender, or give the sender that the file names.',
    });
  }
  for (const [name, sender] of ours) {
    if (answers.replyTo !== undefined && sender.replyTo?.toLowerCase() !== answers.replyTo.toLowerCase()) {
      findings.faults.push({
        code: 'settings.reply-to',
        file,
        path: `senders.${name}.replyTo`,
        message: `Answers would go to ${sender.replyTo ?? sender.from}, you said ${answers.replyTo}.`,
        expected: answers.replyTo,
        remedy: 'Write it there, or say the address of the file.',
      });
    }
    const postal = brands[sender.brand]?.postalAddress;
    if (postal !== undefined && plain(postal) !== plain(answers.postalAddress)) {
      findings.faults.push({
        code: 'settings.postal-address',
        file,
        path: `brands.${sender.brand}.postalAddress`,
        message: 'The postal address differs from the one you said.',
        received: postal,
        expected: answers.postalAddress,
        remedy: 'Write it there: every marketing e-mail carries it, as the law asks.',
      });
    }
  }
}

const plain = (text: string): string =>
  text
    .replace(/[\s,]+/g, ' ')
    .trim()
    .toLowerCase();

/** Properties whose change makes CloudFormation replace the resource, and so lose what it holds. */
const STATEFUL: Record<string, string[]> = {
  'AWS::DynamoDB::GlobalTable': ['TableName', 'KeySchema', 'LocalSecondaryIndexes'],
  'AWS::DynamoDB::Table': ['TableName', 'KeySchema', 'LocalSecondaryIndexes'],
  'AWS::S3::Bucket': ['BucketName'],
  'AWS::SecretsManager::Secret': ['Name'],
  'AWS::SES::ConfigurationSet': ['Name'],
};

async function checkStack(answers: Answers, world: World, findings: Findings): Promise<void> {
  const name = coreStackName(answers.stage);
  const stack = await describe(world, name);
  const status = stack?.StackStatus ?? '';
  findings.deployed = stack !== undefined && status !== 'REVIEW_IN_PROGRESS';
  if (/_IN_PROGRESS$/.test(status) && status !== 'REVIEW_IN_PROGRESS') {
    findings.faults.push({
      code: 'stack.busy',
      path: name,
      message: `The stack is at work (${status}).`,
      remedy: 'Wait until it has ended.',
    });
  } else if (/^(ROLLBACK_COMPLETE|ROLLBACK_FAILED|DELETE_FAILED)$/.test(status)) {
    findings.faults.push({
      code: 'stack.broken',
      path: name,
      message: `The stack never came up (${status}).`,
      remedy: `Read its events, then remove it: aws cloudformation delete-stack --stack-name ${name}`,
    });
  }
  const next = await world.synthesise(findings);
  if (!findings.deployed) return;
  const { TemplateBody } = await world.cloudFormation.send(
    new GetTemplateCommand({ StackName: name, TemplateStage: 'Original' }),
  );
  const now = JSON.parse(TemplateBody ?? '{"Resources":{}}') as Template;
  for (const fault of replaced(now, next)) findings.faults.push(fault);
}

/** What an update would take away from the data: stateful resources that go, or that CloudFormation would make anew. */
export function replaced(now: Template, next: Template): Fault[] {
  const faults: Fault[] = [];
  for (const [id, resource] of Object.entries(now.Resources)) {
    const fixed = STATEFUL[resource.Type];
    if (!fixed) continue;
    const after = next.Resources[id];
    if (after?.Type !== resource.Type) {
      faults.push({
        code: 'stack.stateful-gone',
        path: id,
        message: `This update would take ${resource.Type} ${id} out of the stack, with the data that it holds.`,
        remedy:
          resource.Type === 'AWS::SES::ConfigurationSet' && /-tracked$/.test(String(resource.Properties?.Name))
            ? 'Give --track-opens true: bounces and complaints of what was sent through it still come. "tracking": { "opens": false } in templates/settings.json ends the tracking of opens.'
            : 'Keep its id (test/cases/stateful-ids.json), or move the data first, as docs/operate.md says.',
      });
      continue;
    }
    for (const property of fixed) {
      const [before, then] = [resource.Properties?.[property], after.Properties?.[property]].map((value) =>
        JSON.stringify(value),
      );
      if (before === then) continue;
      faults.push({
        code: 'stack.stateful-replaced',
        path: `${id}.${property}`,
        message: `This update would replace ${resource.Type} ${id} by a new and empty one.`,
        ...(before === undefined ? {} : { received: before }),
        remedy: 'Leave this property as it was.',
      });
    }
  }
  const [shardsNow, shardsNext] = [now, next].map(dueShards);
  if (shardsNow !== undefined && shardsNext !== undefined && shardsNow !== shardsNext) {
    faults.push({
      code: 'stack.shards',
      path: 'dueShards',
      message: `The due index has ${shardsNow} shards; with ${shardsNext}, what waits in it would be found no more.`,
      received: shardsNext,
      expected: shardsNow,
      remedy: `Give --due-shards ${shardsNow}.`,
    });
  }
  return faults;
}

function dueShards(template: Template): string | undefined {
  for (const { Type, Properties } of Object.values(template.Resources)) {
    if (Type !== 'AWS::Lambda::Function') continue;
    const variables = (Properties?.Environment as { Variables?: Record<string, unknown> } | undefined)?.Variables;
    if (typeof variables?.DUE_SHARDS === 'string') return variables.DUE_SHARDS;
  }
  return undefined;
}

async function describe(world: World, StackName: string) {
  try {
    return (await world.cloudFormation.send(new DescribeStacksCommand({ StackName }))).Stacks?.[0];
  } catch (error) {
    if (/does not exist/.test((error as Error).message)) return undefined;
    throw error;
  }
}

/** E-mails a second that the stage will send: its ceiling, or its share of what SES allows the account. */
export function rateOf(
  answers: Pick<Answers, 'rateShare'>,
  { sendRate, accountRate }: Pick<Findings, 'sendRate' | 'accountRate'>,
): number {
  const account = accountRate === undefined ? undefined : { ...IN_ORDER, maxRate: accountRate };
  return allowance(account, { sendRate, share: answers.rateShare ?? 1 }, IN_ORDER.at).rate;
}
const IN_ORDER = { at: 0, max24h: -1, sent24h: 0, sendingEnabled: true, production: true, enforcement: 'HEALTHY' };

/** What it costs, as far as is known before the first bill. US dollars. */
export function costLines(findings: Pick<Findings, 'sandbox' | 'dailyQuota'>): string[] {
  return [
    'Idle: about 4 to 7 USD a month, less inside the free tier (32 alarms 3.20, polling of queues and the minute of the timers about 3, the secret 0.40, budgets 0.10 per campaign). Metrics of our own, 7 at most, cost up to 0.30 each in months in which something is wrong, and nothing otherwise.',
    'SES: 0.10 USD per 1,000 e-mails; accounts that are new to SES since July 2026 are said to start on a plan of 0.16 USD. Look at your plan in the SES console.',
    'At 100,000 contacts and 1,000,000 e-mails a month: about 130 USD in all, of which SES 100. This is an estimate; no bill has confirmed it yet.',
    ...(findings.sandbox ? ['In the sandbox nothing but trying is possible, at well under 1 USD for e-mail.'] : []),
  ];
}
