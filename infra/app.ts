// The CDK app: the stacks of one stage, checked by cdk-nag's AwsSolutions.
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { OperationsStack } from './operations.ts';
import { SettingsError, settingsOf } from './settings.ts';
import { KairosStack } from './stack.ts';

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
try {
  const settings = settingsOf(app);
  const core = new KairosStack(app, settings);
  if (settings.stage !== 'laptop')
    new OperationsStack(app, settings).addStackDependency(core, 'alarms read the logs of its functions');
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(error.message);
  process.exit(1);
}
