// Runs one function's bundle in a worker thread: loads it once, answers one invocation after the other.
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

/** What a thread is told at its birth. */
export interface ThreadData {
  file: string;
  entry: string;
  clock: SharedArrayBuffer;
}
/** One invocation. */
export interface ThreadCall {
  event: unknown;
  requestId: string;
  functionName: string;
  arn: string;
  memory: number;
  /** Real epoch milliseconds. */
  deadline: number;
}
/** Said once, when the bundle has been loaded or has failed to. */
export type ThreadReady = { ready: true };
export type ThreadAnswer =
  | { result: string | undefined }
  | { error: { name: string; message: string; stack?: string } };

const { file, entry, clock } = workerData as ThreadData;
const port = parentPort!;

// The only thing of the laptop that a bundle can see; it must be there before the bundle is loaded.
(globalThis as { __kairosClockOffset?: Float64Array }).__kairosClockOffset = new Float64Array(clock);

type Handler = (event: unknown, context: object) => unknown;

const failure = (caught: unknown): ThreadAnswer => {
  const error = caught instanceof Error ? caught : new Error(String(caught));
  return {
    error: { name: error.name, message: error.message, ...(error.stack !== undefined && { stack: error.stack }) },
  };
};

let loaded: { handler: Handler } | { failed: ThreadAnswer };
try {
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const handler = module[entry] ?? (module.default as Record<string, unknown> | undefined)?.[entry];
  if (typeof handler !== 'function') throw new Error(`Runtime.HandlerNotFound: the bundle exports no "${entry}".`);
  loaded = { handler: handler as Handler };
} catch (error) {
  loaded = { failed: failure(error) };
}

port.postMessage({ ready: true } satisfies ThreadReady);
port.on('message', async (call: ThreadCall) => {
  if ('failed' in loaded) return port.postMessage(loaded.failed);
  const context = {
    awsRequestId: call.requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: call.functionName,
    functionVersion: '$LATEST',
    getRemainingTimeInMillis: () => Math.max(0, call.deadline - Date.now()),
    invokedFunctionArn: call.arn,
    logGroupName: `/aws/lambda/${call.functionName}`,
    logStreamName: 'laptop',
    memoryLimitInMB: String(call.memory),
  };
  try {
    const result: unknown = await loaded.handler(call.event, context);
    // Lambda hands results on as JSON: what does not survive it must not survive here.
    port.postMessage({ result: JSON.stringify(result) } satisfies ThreadAnswer);
  } catch (error) {
    port.postMessage(failure(error));
  }
});
