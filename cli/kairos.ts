// The command line: one program, each command in its own file.
import { Command } from 'commander';
import { KairosError, sayFault } from '../domain/fault.ts';
import { registerAssignment } from './assignment.ts';
import { registerCampaigns } from './campaigns.ts';
import { registerConsents } from './consents.ts';
import { registerContact } from './contact.ts';
import { registerControl } from './control.ts';
import { registerCoupons } from './coupons.ts';
import { registerDeadLetters } from './dead-letters.ts';
import { registerErase } from './erase.ts';
import { registerExplain } from './explain.ts';
import { registerImport } from './import.ts';
import { registerInsight } from './insight.ts';
import { registerLake } from './lake.ts';
import { registerMessages } from './messages.ts';
import { registerNotices } from './notices.ts';
import { registerPreview } from './preview.ts';
import { registerPublish } from './publish-command.ts';
import { registerReach } from './reach.ts';
import { registerSchemas } from './schemas.ts';
import { registerSegments } from './segments.ts';
import { registerStatus } from './status.ts';
import { registerValidate } from './validate.ts';
import { registerWhy } from './why.ts';
import { registerWithdraw } from './withdraw.ts';

const program = new Command('kairos')
  .description('Campaigns as files: check them, publish them, see what they do.')
  .showHelpAfterError('(kairos --help lists the commands)')
  .showSuggestionAfterError();

registerValidate(program);
registerSegments(program);
registerCampaigns(program);
registerPreview(program);
registerPublish(program);
registerImport(program);
registerCoupons(program);
registerStatus(program);
registerControl(program);
registerMessages(program);
registerNotices(program);
registerDeadLetters(program);
registerContact(program);
registerExplain(program);
registerWhy(program);
registerAssignment(program);
registerReach(program);
registerInsight(program);
registerConsents(program);
registerWithdraw(program);
registerErase(program);
registerLake(program);
registerSchemas(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof KairosError)) throw error;
  console.error(sayFault(error.fault));
  process.exitCode = 1;
}
