// How much waits in a queue, as far as the queue says.
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';

export class Depths {
  readonly #client: SQSClient;
  constructor(client: SQSClient = new SQSClient({})) {
    this.#client = client;
  }

  /** Messages in a queue, those that a worker holds among them; SQS is right within a minute. */
  async of(url: string): Promise<number> {
    const { Attributes = {} } = await this.#client.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    return (
      Number(Attributes.ApproximateNumberOfMessages ?? 0) +
      Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0)
    );
  }
}
