// What the reader sees: steps, a bar that fills, and tables. Plain lines where there is no terminal.
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

type Tone = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan';
type Out = Writable & { isTTY?: boolean; columns?: number };

const WIDTH = 24;

/** The screen of one run. Everything goes to `out`; in a terminal, the line of the running step is drawn anew. */
export class Screen {
  readonly #out: Out;
  readonly #live: boolean;
  #drawn = false;
  #drawnAt = 0;
  #said = -1;

  constructor(out: Out) {
    this.#out = out;
    this.#live = out.isTTY === true && process.env.TERM !== 'dumb';
  }

  /** Text in a tone where colour is wanted; NO_COLOR and pipes get the bare text. */
  tone(tone: Tone, text: string): string {
    return styleText(tone, text, { stream: this.#out });
  }

  line(text = ''): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  heading(text: string): void {
    this.line(`\n${this.tone('bold', text)}`);
  }

  /** A step that has ended. */
  done(title: string, detail: string): void {
    this.#said = -1;
    this.line(`  ${this.tone('green', '✓')} ${title.padEnd(11)} ${detail}`);
  }

  warn(text: string): void {
    this.line(`  ${this.tone('yellow', '!')} ${text}`);
  }

  /** How far a step is, 0 to 1. Without a terminal: a line at each quarter. */
  progress(title: string, share: number, detail: string): void {
    const part = Math.min(1, Math.max(0, share));
    const percent = `${Math.floor(part * 100)}`.padStart(3);
    if (!this.#live) {
      const quarter = Math.floor(part * 4);
      if (quarter <= this.#said || quarter === 0) return;
      this.#said = quarter;
      this.#out.write(`    ${title.padEnd(11)} ${percent} %  ${detail}\n`);
      return;
    }
    const time = Date.now();
    if (this.#drawn && part < 1 && time - this.#drawnAt < 80) return;
    this.#drawnAt = time;
    const filled = Math.round(part * WIDTH);
    const bar = this.tone('cyan', '━'.repeat(filled)) + this.tone('dim', '─'.repeat(WIDTH - filled));
    const room = (this.#out.columns ?? 100) - WIDTH - 24;
    this.#clear();
    this.#out.write(`    ${title.padEnd(11)} ${bar} ${percent} %  ${detail.slice(0, Math.max(0, room))}`);
    this.#drawn = true;
  }

  /** Columns under their names, text to the left and numbers to the right. */
  table(names: string[], rows: (string | number)[][]): void {
    const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : cell)));
    const widths = names.map((name, column) =>
      Math.max(name.length, ...cells.map((row) => (row[column] ?? '').length)),
    );
    const numeric = names.map(
      (_, column) => cells.length > 0 && cells.every((row) => /^[^\p{L}]*\d[^\p{L}]*$/u.test(row[column] ?? '')),
    );
    const pad = (text: string, column: number): string =>
      numeric[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
    this.line(`  ${this.tone('dim', names.map(pad).join('   ').trimEnd())}`);
    for (const row of cells) this.line(`  ${row.map(pad).join('   ').trimEnd()}`);
  }

  #clear(): void {
    if (!this.#drawn) return;
    this.#out.write('\r\u001b[2K');
    this.#drawn = false;
  }
}

/** 1234567 → 1,234,567 */
export function grouped(number: number): string {
  return number.toLocaleString('en-US');
}

/** 61234 → "1 min 1 s"; 4210 → "4.2 s" */
export function sayDuration(milliseconds: number): string {
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
