// HTTPS → bus: events of authenticated sources, all checked before any is put.
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Bus } from './aws/bus.ts';
import { now } from './aws/clock.ts';
import { faultOf, log, handler as wrapped } from './aws/handler.ts';
import { readRequest } from './aws/intake.ts';
import { bus } from './aws/parts.ts';
import { type Secrets, secrets } from './aws/secrets.ts';

export interface ReceiveDeps {
  bus: Pick<Bus, 'put'>;
  secrets: () => Promise<Secrets>;
  now: () => number;
}

/** 202 when the bus has taken every event; else nothing counts as received, and the answer says why. */
export async function receiveEvent(
  event: APIGatewayProxyEventV2,
  deps: ReceiveDeps,
): Promise<APIGatewayProxyStructuredResultV2> {
  const { rawPath: path, headers, body = '', isBase64Encoded, requestContext } = event;
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  const request = { method: requestContext.http.method, path, headers, body: bytes };
  const read = readRequest(request, await deps.secrets(), deps.now());
  if ('refusal' in read) return answer(read.refusal.status, read.refusal.body, read.refusal.headers);
  const refused = await deps.bus.put(read.events).catch((error: unknown) => {
    log.error('bus.unreached', faultOf(error));
    return read.events.length;
  });
  if (refused > 0) {
    const message = `${refused} of ${read.events.length} events were not taken: send all again`;
    return answer(503, { error: { code: 'door.bus', message } }, { 'retry-after': '5' });
  }
  return answer(202, { accepted: read.events.length });
}

function answer(statusCode: number, body: unknown, headers: Record<string, string> = {}) {
  return { statusCode, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

export const handler = wrapped((event: APIGatewayProxyEventV2) =>
  receiveEvent(event, { bus: bus(), secrets: () => secrets().read(), now }),
);
