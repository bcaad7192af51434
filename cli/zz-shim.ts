// temporary
import { Command } from 'commander';
import { registerPublish } from './publish-command.ts';
const program = new Command();
registerPublish(program);
await program.parseAsync();
