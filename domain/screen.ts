// The guard before anything is read: what comes from outside is plain JSON of a bounded size, without a key that harms.
import { KairosError, sayPath } from './fault.ts';
import { shapeFault } from './fields.ts';

/** Most bytes of an event's detail, as JSON in UTF-8. */
export const MOST_BYTES = 65_536;
const MOST_DEPTH = 20;
// What could reach a prototype wherever such a key is assigned.
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Walks a value once and throws a KairosError for the first thing that no event may hold: what is not JSON, more than
 * 20 levels, more than 64 KB, a forbidden key. Assigns nothing.
 */
export function screen(detail: unknown): void {
  const path: PropertyKey[] = [];
  // Bounds of the size of the JSON text, found without making it.
  let least = 0;
  let most = 0;
  const text = (value: string): void => {
    least += value.length + 2;
    most += value.length * 6 + 2;
  };
  const walk = (value: unknown): void => {
    least += 1;
    most += 30;
    if (least > MOST_BYTES) tooLarge(least);
    if (typeof value === 'string') {
      text(value);
      return;
    }
    if (value === null || value === undefined || typeof value === 'boolean') return;
    if (typeof value === 'number' && Number.isFinite(value)) return;
    if (typeof value !== 'object') throw shapeFault(path, value, 'a JSON value');
    if (path.length > MOST_DEPTH) {
      refuse('event.depth', '', 'the event is nested too deeply.', 'more levels', `at most ${MOST_DEPTH} levels`);
    }
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) enter(index, value[index]);
      return;
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw shapeFault(path, value, 'a JSON value');
    for (const key of Object.keys(value)) {
      if (FORBIDDEN_KEYS.has(key)) {
        refuse('event.key', sayPath(path), `the key "${key}" is not allowed.`, key, 'any other name');
      }
      text(key);
      enter(key, (value as Record<string, unknown>)[key]);
    }
  };
  const enter = (key: PropertyKey, value: unknown): void => {
    path.push(key);
    walk(value);
    path.pop();
  };
  walk(detail);
  if (most <= MOST_BYTES) return;
  const bytes = Buffer.byteLength(JSON.stringify(detail));
  if (bytes > MOST_BYTES) tooLarge(bytes);
}

function tooLarge(bytes: number): never {
  return refuse(
    'event.too-large',
    '',
    'the event is too large.',
    `${bytes} bytes or more`,
    `at most ${MOST_BYTES} bytes`,
  );
}

function refuse(code: string, path: string, message: string, received: string, expected: string): never {
  throw new KairosError({ code, path, message, received, expected });
}
