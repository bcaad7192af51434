// CSV as Athena writes it: texts in quotes, which are doubled inside; what is absent is empty and has none.

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE = 0x0a;
const RETURN = 0x0d;

/** The cells of each line; null for one that is absent, which is another thing than an empty text. UTF-8, any chunks. */
export async function* readCsv(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<(string | null)[]> {
  let left: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const buffer = left.length === 0 ? Buffer.from(chunk) : Buffer.concat([left, chunk]);
    let begin = 0;
    for (let end = lineEnd(buffer, begin); end >= 0; end = lineEnd(buffer, begin)) {
      if (end > begin) yield cellsOf(buffer, begin, end);
      begin = end + 1;
    }
    left = buffer.subarray(begin);
  }
  if (left.length > 0) yield cellsOf(left, 0, left.length);
}

/** Where the line ends that begins here; −1 where the rest of it has not come yet. */
function lineEnd(buffer: Buffer, begin: number): number {
  let end = buffer.indexOf(LINE, begin);
  if (end < 0) return -1;
  // Few cells hold a line break: count quotes only as far as the next one.
  let quotes = 0;
  let from = begin;
  for (;;) {
    for (let at = buffer.indexOf(QUOTE, from); at >= 0 && at < end; at = buffer.indexOf(QUOTE, at + 1)) quotes++;
    if (quotes % 2 === 0) return end;
    from = end;
    end = buffer.indexOf(LINE, end + 1);
    if (end < 0) return -1;
  }
}

function cellsOf(buffer: Buffer, begin: number, end: number): (string | null)[] {
  const cells: (string | null)[] = [];
  const last = buffer[end - 1] === RETURN ? end - 1 : end;
  let at = begin;
  for (;;) {
    if (buffer[at] === QUOTE && at < last) {
      let close = buffer.indexOf(QUOTE, at + 1);
      let doubled = false;
      while (close >= 0 && close < last && buffer[close + 1] === QUOTE && close + 1 < last) {
        doubled = true;
        close = buffer.indexOf(QUOTE, close + 2);
      }
      if (close < 0 || close >= last) close = last;
      const text = buffer.toString('utf8', at + 1, close);
      cells.push(doubled ? text.replaceAll('""', '"') : text);
      at = close + 1;
    } else {
      let comma = buffer.indexOf(COMMA, at);
      if (comma < 0 || comma > last) comma = last;
      cells.push(comma === at ? null : buffer.toString('utf8', at, comma));
      at = comma;
    }
    if (at >= last || buffer[at] !== COMMA) return cells;
    at++;
  }
}
