// The stacks of a stage as CloudFormation templates, synthesised without bundling.
import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { OperationsStack } from '../../infra/operations.ts';
import { readSettings, type Stage } from '../../infra/settings.ts';
import { KairosStack } from '../../infra/stack.ts';

export const FIXTURE = fileURLToPath(new URL('./fixture-step.ts', import.meta.url));

export const CONTEXT: Record<Stage, Record<string, unknown>> = {
  laptop: { stage: 'laptop' },
  dev: { stage: 'dev', mailDomain: 'shop.example', allowedRecipients: 'ann@shop.example,test.example' },
  staging: {
    stage: 'staging',
    mailDomain: 'shop.example',
    publicBaseUrl: 'https://mail.staging.shop.example',
    certificateArn: 'arn:aws:acm:eu-central-1:123456789012:certificate/0f9c2b1e-5a3d-4c67-8e21-9b7d6a4f3c10',
    alarmAddress: 'ops@shop.example',
  },
  prod: {
    stage: 'prod',
    mailDomain: 'shop.example',
    publicBaseUrl: 'https://mail.shop.example',
    certificateArn: 'arn:aws:acm:eu-central-1:123456789012:certificate/0f9c2b1e-5a3d-4c67-8e21-9b7d6a4f3c10',
    alarmAddress: 'ops@shop.example',
  },
};

export interface Resource {
  Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: properties of CloudFormation have no types here
  Properties: any;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
}

export interface Stacks {
  core: Template;
  operations: Template;
}

/** Both stacks of a stage; `more` overrides its context. */
export function synthesise(stage: Stage, more: Record<string, unknown> = {}): Stacks {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  const settings = readSettings({ ...CONTEXT[stage], ...more });
  const core = new KairosStack(app, settings, () => FIXTURE);
  const operations = new OperationsStack(app, settings);
  return { core: Template.fromStack(core), operations: Template.fromStack(operations) };
}

export function resources(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.findResources(type) as Record<string, Resource>);
}

/** The one resource of a type whose logical id begins so. */
export function resource(template: Template, type: string, start: string): Resource {
  const found = resources(template, type).filter(([id]) => id.startsWith(start));
  if (found.length !== 1) throw new Error(`${type} ${start}: found ${found.length}`);
  return found[0]![1];
}
