// Finding a stage: the running laptop, or CloudFormation.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findTarget, output } from '../../cli/outputs.ts';

let root: string;
let server: Server;
let endpoint: string;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'kairos-outputs-'));
  // As an emulator answers an unknown call: badly, but it is there.
  server = createServer((_, response) => response.writeHead(404).end());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  rmSync(root, { recursive: true, force: true });
  await new Promise((done) => server.close(done));
});

function laptopFile(text: string): void {
  mkdirSync(path.join(root, '.kairos'));
  writeFileSync(path.join(root, '.kairos', 'laptop.json'), text);
}

const running = () =>
  JSON.stringify({
    pid: 1,
    outputs: { TableName: 'table' },
    env: { AWS_ENDPOINT_URL_DYNAMODB: endpoint, AWS_REGION: 'eu-central-1' },
  });
const client = new CloudFormationClient({ region: 'eu-central-1' });
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    return (error as { fault: { code: string } }).fault.code;
  }
  return 'found';
};

describe('given a laptop run', () => {
  it('it is found without naming a stage, with the way to it', async () => {
    laptopFile(running());
    const target = await findTarget({ root });
    expect(target).toEqual({
      stage: 'laptop',
      outputs: { TableName: 'table' },
      env: { AWS_ENDPOINT_URL_DYNAMODB: endpoint, AWS_REGION: 'eu-central-1' },
    });
    expect(output(target, 'TableName')).toBe('table');
    expect(() => output(target, 'BucketName')).toThrow(/no output of this name/);
  });

  it('a file that a dead one left behind is no laptop run', async () => {
    laptopFile(running());
    await new Promise((done) => server.close(done));
    expect(await codeOf(findTarget({ root, stage: 'laptop' }))).toBe('stage.not-running');
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  });

  it.each(['', '{', '{"outputs":1}'])('a broken file (%j) is no laptop run', async (text) => {
    laptopFile(text);
    expect(await codeOf(findTarget({ root }))).toBe('stage.missing');
  });
});

describe('given a stage in AWS', () => {
  const cloudFormation = mockClient(client);
  beforeEach(() => cloudFormation.reset());

  it('its outputs come from CloudFormation, even while a laptop runs', async () => {
    laptopFile(running());
    cloudFormation.on(DescribeStacksCommand, { StackName: 'Kairos-prod' }).resolves({
      Stacks: [
        {
          StackName: 'Kairos-prod',
          CreationTime: new Date(0),
          StackStatus: 'CREATE_COMPLETE',
          Outputs: [{ OutputKey: 'TableName', OutputValue: 'Kairos-prod-Table' }],
        },
      ],
    });
    expect(await findTarget({ root, stage: 'prod', cloudFormation: client })).toEqual({
      stage: 'prod',
      outputs: { TableName: 'Kairos-prod-Table' },
      env: {},
    });
  });

  it.each([
    ['stage.not-deployed', 'ValidationError', 'Stack with id Kairos-prod does not exist'],
    ['stage.unreachable', 'AccessDenied', 'not authorized'],
  ])('%s is said as such', async (code, name, message) => {
    cloudFormation.on(DescribeStacksCommand).rejects(Object.assign(new Error(message), { name }));
    expect(await codeOf(findTarget({ root, stage: 'prod', cloudFormation: client }))).toBe(code);
  });
});
