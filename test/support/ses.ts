// A small SES v2 endpoint for tests: it keeps what it accepts, and answers as it is told to.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SendEmailCommandInput } from '@aws-sdk/client-sesv2';

/** How the next call is answered: taken; taken, then the connection drops; or refused with an error of SES. */
export type SesBehaviour = 'accept' | 'accept and drop' | 'drop' | { status: number; type: string; message?: string };

export interface Ses {
  endpoint: string;
  /** What SES holds: a mail that is here will be delivered, whatever the caller heard. */
  accepted: (SendEmailCommandInput & { id: string })[];
  /** Every call, whatever came of it. */
  calls: number;
  /** Answers of the next calls, in order; afterwards it accepts. */
  next: SesBehaviour[];
  stop(): Promise<void>;
}

export async function startSes(): Promise<Ses> {
  const ses: Ses = { endpoint: '', accepted: [], calls: 0, next: [], stop: async () => {} };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (request.url !== '/v2/email/outbound-emails') return answer(response, 404, {}, 'UnknownOperationException');
      ses.calls++;
      const behaviour = ses.next.shift() ?? 'accept';
      if (typeof behaviour === 'object') {
        return answer(response, behaviour.status, { message: behaviour.message ?? behaviour.type }, behaviour.type);
      }
      if (behaviour === 'drop') return request.socket.destroy();
      const id = `ses-${ses.accepted.length + 1}`;
      ses.accepted.push({ ...(JSON.parse(Buffer.concat(parts).toString()) as SendEmailCommandInput), id });
      if (behaviour === 'accept and drop') return request.socket.destroy();
      return answer(response, 200, { MessageId: id });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ses.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  ses.stop = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return ses;
}

function answer(response: ServerResponse, status: number, body: unknown, type?: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(type !== undefined && { 'x-amzn-errortype': type }),
  });
  response.end(JSON.stringify(body));
}

/** An event of SES about an accepted mail, as EventBridge brings it. */
export function sesEvent(
  mail: SendEmailCommandInput & { id: string },
  eventType: string,
  at: number,
  part: Record<string, unknown> = {},
) {
  const time = new Date(at).toISOString();
  const tags = Object.fromEntries((mail.EmailTags ?? []).map(({ Name, Value }) => [Name, [Value]]));
  return {
    id: `${mail.id}-${eventType}-${at}`,
    source: 'aws.ses',
    'detail-type': `Email ${eventType}`,
    time,
    detail: {
      eventType,
      mail: { timestamp: time, messageId: mail.id, destination: mail.Destination?.ToAddresses, tags },
      ...part,
    },
  };
}
