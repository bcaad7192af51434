// Writes each record that it is given into the bucket, as it came; a body or an item may ask it to fail.
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const s3 = new S3Client({});
let calls = 0;

const keep = (key, value) =>
  s3.send(new PutObjectCommand({ Bucket: process.env.BUCKET_NAME, Key: key, Body: JSON.stringify(value) }));

export async function handler(event, context) {
  const call = ++calls;
  await keep(`${process.env.PREFIX}/calls/${call}`, { size: event.Records.length, function: context.functionName });
  const failed = [];
  for (const record of event.Records) {
    const name = record.messageId === undefined ? record.dynamodb.SequenceNumber : record.messageId;
    const text = JSON.stringify(record);
    if (text.includes('fail-the-batch')) throw new Error('asked to fail');
    if (text.includes('hang')) await new Promise((done) => setTimeout(done, 60_000));
    if (text.includes('fail-this')) failed.push({ itemIdentifier: name });
    else
      await keep(`${process.env.PREFIX}/records/${name}`, {
        record,
        now: Date.now() + (globalThis.__kairosClockOffset?.[0] ?? 0),
      });
  }
  return { batchItemFailures: failed };
}
