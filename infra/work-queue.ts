// A queue with its dead letters: eight receives, then kept for 14 days.
import { Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { deadLettersName, pascal, physicalName, type QueueName } from './names.ts';
import type { Stage } from './settings.ts';

/** Receives before a message counts as dead. */
export const RECEIVES = 8;

export class WorkQueue extends Construct {
  readonly name: QueueName;
  readonly queue: Queue;
  readonly deadLetters: Queue;

  /** @param timeout seconds that its function may take; a message stays hidden six times as long, as Lambda advises. */
  constructor(scope: Construct, name: QueueName, props: { stage: Stage; timeout: number }) {
    super(scope, `${pascal(name)}Queue`);
    this.name = name;
    this.deadLetters = new Queue(this, 'DeadLetters', {
      queueName: deadLettersName(props.stage, name),
      retentionPeriod: Duration.days(14),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
    });
    this.queue = new Queue(this, 'Queue', {
      queueName: physicalName(props.stage, name),
      visibilityTimeout: Duration.seconds(props.timeout * 6),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: RECEIVES },
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
    });
  }
}
