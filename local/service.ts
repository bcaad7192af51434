// What every simulated service speaks: a call that came in, an answer that goes out, an error by AWS's name.
import type { IncomingHttpHeaders } from 'node:http';

export interface Call {
  method: string;
  /** Decoded path without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Answer {
  status: number;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

/** An error that the client is to see under AWS's exception name. */
export class ServiceError extends Error {
  readonly code = 'laptop.service';
  readonly type: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  constructor(type: string, message: string, status = 400, headers: Record<string, string> = {}) {
    super(message);
    this.type = type;
    this.status = status;
    this.headers = headers;
  }
}
