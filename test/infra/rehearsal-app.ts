// The CDK app as the rehearsal of permissions deploys it: CDK acts with the caller's own rights, so that only the functions' roles are judged.
import { App, CliCredentialsStackSynthesizer } from 'aws-cdk-lib';
import { settingsOf } from '../../infra/settings.ts';
import { KairosStack } from '../../infra/stack.ts';

const app = new App({ defaultStackSynthesizer: new CliCredentialsStackSynthesizer() });
new KairosStack(app, settingsOf(app));
