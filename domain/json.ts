// JSON as people write it by hand: every syntax error with its line and column, repeated keys refused.
import type { Json } from './interaction.ts';

/** Where and why a text is not JSON; line and column count from 1. */
export interface JsonProblem {
  message: string;
  remedy: string;
  line: number;
  column: number;
}

class Problem extends Error {
  readonly at: number;
  readonly remedy: string;

  constructor(at: number, message: string, remedy: string) {
    super(message);
    this.at = at;
    this.remedy = remedy;
  }
}

const MOST_DEPTH = 200;

/** Reads a JSON text of at most 200 levels. Unlike JSON.parse, a key that stands twice in an object is an error. */
export function parseJson(text: string): { value: Json } | { problem: JsonProblem } {
  const reader = new Reader(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  try {
    return { value: reader.document() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const before = reader.text.slice(0, error.at).split('\n');
    return {
      problem: {
        message: error.message,
        remedy: error.remedy,
        line: before.length,
        column: (before.at(-1)?.length ?? 0) + 1,
      },
    };
  }
}

class Reader {
  readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): Json {
    this.space();
    if (this.at === this.text.length) throw new Problem(this.at, 'The file is empty.', 'Write a JSON object: { … }.');
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) throw this.unexpected('the end of the file');
    return value;
  }

  private space(): void {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? '')) this.at += 1;
    if (this.text.startsWith('//', this.at) || this.text.startsWith('/*', this.at)) {
      throw new Problem(this.at, 'JSON has no comments.', 'Take the comment out; "title" is there for a remark.');
    }
  }

  private unexpected(expected: string): Problem {
    const found = this.text[this.at];
    if (found === undefined)
      return new Problem(
        this.at,
        `The file ends where ${expected} is expected.`,
        'Is a bracket or a quotation mark not closed?',
      );
    const shown =
      found === '\n' || found === '\r'
        ? 'the end of the line'
        : found === "'"
          ? 'a single quotation mark'
          : found === '"'
            ? 'a text'
            : `"${found}"`;
    const remedy =
      found === "'" || found === '“' || found === '”' || found === '„'
        ? 'Texts and names stand in straight double quotation marks: "…".'
        : expected.includes('"," or')
          ? 'Is a comma missing before it?'
          : /\d/.test(found) && this.text[this.at - 1] === ','
            ? 'Numbers are written with a point: 12.5.'
            : 'Look at this place and just before it.';
    return new Problem(this.at, `Found ${shown} where ${expected} is expected.`, remedy);
  }

  private value(depth: number): Json {
    if (depth > MOST_DEPTH)
      throw new Problem(this.at, 'The file is nested too deeply.', `At most ${MOST_DEPTH} levels.`);
    const start = this.text[this.at];
    if (start === '{') return this.object(depth);
    if (start === '[') return this.array(depth);
    if (start === '"') return this.string();
    const word = /^[A-Za-z]+/.exec(this.text.slice(this.at, this.at + 12))?.[0];
    if (word !== undefined) {
      if (word !== 'true' && word !== 'false' && word !== 'null') {
        throw new Problem(
          this.at,
          `${word} stands without quotation marks.`,
          `Write "${word}", or true, false or null.`,
        );
      }
      this.at += word.length;
      return word === 'null' ? null : word === 'true';
    }
    const number = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/.exec(this.text.slice(this.at, this.at + 400))?.[0];
    if (number === undefined) throw this.unexpected('a value');
    const numberAt = this.at;
    this.at += number.length;
    if (/[\d.]/.test(this.text[this.at] ?? '')) {
      throw new Problem(this.at, 'This is not a number.', 'Write numbers such as 12.5: a point, no leading zero.');
    }
    const value = Number(number);
    if (!Number.isFinite(value) || (/^-?\d{16,}$/.test(number) && String(value) !== number)) {
      throw new Problem(
        numberAt,
        `${number.length > 40 ? `${number.slice(0, 37)}…` : number} is too large to be kept exactly.`,
        'If it is an id, write it as a text, in quotation marks.',
      );
    }
    return value;
  }

  private object(depth: number): Json {
    const entries: [string, Json][] = [];
    const keys = new Set<string>();
    this.at += 1;
    this.space();
    if (this.take('}')) return {};
    for (;;) {
      if (this.text[this.at] !== '"') {
        if (this.text[this.at] === '}') throw this.comma('}');
        throw this.unexpected('a name in quotation marks');
      }
      const keyAt = this.at;
      const key = this.string();
      if (keys.has(key))
        throw new Problem(keyAt, `"${key}" stands twice in one object.`, 'Keep one of them, or use "all" or "any".');
      if (key === '__proto__') throw new Problem(keyAt, '"__proto__" cannot be a name.', 'Choose another name.');
      keys.add(key);
      this.space();
      if (!this.take(':')) throw this.unexpected('":"');
      this.space();
      entries.push([key, this.value(depth + 1)]);
      this.space();
      if (this.take('}')) return Object.fromEntries(entries);
      if (!this.take(',')) throw this.unexpected('"," or "}"');
      this.space();
    }
  }

  private array(depth: number): Json {
    const values: Json[] = [];
    this.at += 1;
    this.space();
    if (this.take(']')) return values;
    for (;;) {
      if (this.text[this.at] === ']') throw this.comma(']');
      values.push(this.value(depth + 1));
      this.space();
      if (this.take(']')) return values;
      if (!this.take(',')) throw this.unexpected('"," or "]"');
      this.space();
    }
  }

  private comma(before: string): Problem {
    return new Problem(this.at, `A comma stands before "${before}".`, 'Take the last comma out.');
  }

  private string(): string {
    const from = this.at;
    this.at += 1;
    for (;;) {
      const next = this.text[this.at];
      if (next === undefined || next === '\n' || next === '\r') {
        throw new Problem(
          from,
          'This text is not closed.',
          'End it with a quotation mark on the same line; write \\n for a new line.',
        );
      }
      this.at += next === '\\' ? 2 : 1;
      if (next === '"') break;
    }
    let text: string;
    try {
      text = JSON.parse(this.text.slice(from, this.at)) as string;
    } catch {
      throw new Problem(
        from,
        'This text holds a character that JSON does not allow.',
        'Write a backslash as \\\\ and a tab as \\t.',
      );
    }
    if (!text.isWellFormed()) {
      throw new Problem(
        from,
        'This text holds half a character (a lone surrogate).',
        'Write the character itself instead of its \\u numbers.',
      );
    }
    return text;
  }

  private take(sign: string): boolean {
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }
}
