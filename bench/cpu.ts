// Processor time of a piece of work, split by whose code it was: ours, the SDK, Node itself, and the engine beside us.
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { cpus } from 'node:os';

/** Milliseconds of processor time per event. */
export interface Cpu {
  ours: number;
  sdk: number;
  node: number;
  engine: number;
}

export interface Measured {
  seconds: number;
  /** Of all events together, in milliseconds. */
  cpu: Cpu;
}

/** Runs some work once, with a sampling profiler that tells its parts. */
export async function measureCpu(enginePid: number, work: () => Promise<void>): Promise<Measured> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  const engineBefore = cpuOf(enginePid);
  const before = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(before);
  const engine = cpuOf(enginePid) - engineBefore;
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  const { ours, sdk, node } = sharesOf(profile);
  const all = (used.user + used.system) / 1000;
  return { seconds, cpu: { ours: all * ours, sdk: all * sdk, node: all * node, engine } };
}

/** The same per event, in thousandths of a millisecond at the finest. */
export function perEvent(cpu: Cpu, events: number): Cpu {
  const round = (value: number): number => Math.round((value / events) * 1000) / 1000;
  return { ours: round(cpu.ours), sdk: round(cpu.sdk), node: round(cpu.node), engine: round(cpu.engine) };
}

/** Milliseconds of processor time, by whose code spent them, on one line. */
export const sayCpu = ({ ours, sdk, node, engine }: Cpu): string =>
  `our code ${ours}, SDK ${sdk}, Node ${node}, engine ${engine}`;

/** The machine that figures were measured on: processor, cores, Node and DynamoDB engine. */
export function machine(engine: string): string {
  return `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, Node ${process.versions.node}, ${engine}`;
}

/** Milliseconds of processor time that a process has used; 0 where the system does not tell. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

interface Profile {
  nodes: { id: number; callFrame: { url: string; functionName: string } }[];
  samples?: number[] | undefined;
}

/** Where the samples fell, waiting apart: our code, the SDK, and Node itself with its HTTP and garbage collector. */
function sharesOf({ nodes, samples = [] }: Profile): { ours: number; sdk: number; node: number } {
  const place = new Map(
    nodes.map(({ id, callFrame: { url, functionName } }) => {
      if (functionName === '(idle)') return [id, 'idle'];
      if (/node_modules\/@?(aws-sdk|smithy|aws-crypto)/.test(url)) return [id, 'sdk'];
      if (/\/(domain|functions)\//.test(url) || /node_modules\/(zod|temporal-polyfill|liquidjs)/.test(url)) {
        return [id, 'ours'];
      }
      return [id, 'node'];
    }),
  );
  const counts = { ours: 0, sdk: 0, node: 0 };
  for (const sample of samples) {
    const at = place.get(sample) as keyof typeof counts | 'idle' | undefined;
    if (at !== undefined && at !== 'idle') counts[at] += 1;
  }
  const all = counts.ours + counts.sdk + counts.node || 1;
  return { ours: counts.ours / all, sdk: counts.sdk / all, node: counts.node / all };
}
