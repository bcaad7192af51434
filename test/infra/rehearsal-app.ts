// The CDK app as a rehearsal of permissions deploys it: with the caller's own rights, so that the functions' roles alone are judged,
// and without the refusal of plain HTTP, which is all that an emulator speaks.
import { readFileSync, writeFileSync } from 'node:fs';
import { App, CliCredentialsStackSynthesizer, type IReusableStackSynthesizer } from 'aws-cdk-lib';
import { settingsOf } from '../../infra/settings.ts';
import { KairosStack } from '../../infra/stack.ts';

interface Policy {
  Properties: {
    PolicyDocument?: {
      Statement: { Effect: string; Action: string | string[]; Resource: unknown; Condition?: unknown }[];
    };
  };
}

const synthesizer = new CliCredentialsStackSynthesizer() as IReusableStackSynthesizer;
const app = new App({ autoSynth: false, defaultStackSynthesizer: synthesizer });
const { stackName } = new KairosStack(app, settingsOf(app));
const file = app.synth().getStackByName(stackName).templateFullPath;
const template = JSON.parse(readFileSync(file, 'utf8')) as { Resources: Record<string, Policy> };
for (const [id, { Properties }] of Object.entries(template.Resources)) {
  const document = Properties?.PolicyDocument;
  if (!document) continue;
  document.Statement = document.Statement.filter(({ Effect }) => Effect !== 'Deny');
  // AWS judges a batch by the right to send one; the emulator asks for a right that AWS does not know.
  for (const statement of document.Statement) {
    const actions = [statement.Action].flat();
    // It judges a mail by no resource and no ses:FromAddress, and refuses what names one.
    if (actions.includes('ses:SendEmail')) {
      statement.Resource = '*';
      delete statement.Condition;
    }
    // Its Ref of a secret is a name where that of AWS is an ARN.
    if (actions.includes('secretsmanager:GetSecretValue')) statement.Resource = '*';
    if (actions.includes('sqs:SendMessage')) statement.Action = [...actions, 'sqs:SendMessageBatch'];
  }
  if (document.Statement.length === 0) delete template.Resources[id];
}
writeFileSync(file, JSON.stringify(template));
