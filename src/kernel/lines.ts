import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of UTF-8 bytes or text, ended by LF alone, without it; what follows the last LF is a line if it is not
 * empty. `node:readline` also ends lines at U+2028 and U+2029, which JSON leaves as they are in its strings.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<string, void, undefined> {
  const split = lineSplitter();
  for await (const chunk of chunks) yield* split.add(chunk);
  yield* split.end();
}

/** The same for a stream that is heard as it speaks. */
export function onLines(stream: NodeJS.ReadableStream, heard: (line: string) => void): void {
  const split = lineSplitter();
  stream.on('data', (chunk: Buffer | string) => {
    for (const line of split.add(chunk)) heard(line);
  });
  stream.on('end', () => {
    for (const line of split.end()) heard(line);
  });
}

interface LineSplitter {
  add(chunk: Buffer | string): string[];
  end(): string[];
}

function lineSplitter(): LineSplitter {
  const decoder = new StringDecoder('utf8');
  // Parts of a line that has not ended: joined once, so that a long line costs its length and not its square.
  let open: string[] = [];
  const add = (text: string): string[] => {
    const lines = text.split('\n');
    const last = lines.pop() ?? '';
    if (lines.length > 0) {
      lines[0] = [...open, lines[0]].join('');
      open = [];
    }
    if (last !== '') open.push(last);
    return lines;
  };
  return {
    add: (chunk) => add(typeof chunk === 'string' ? chunk : decoder.write(chunk)),
    end: () => {
      const lines = add(decoder.end());
      const last = open.join('');
      open = [];
      return last === '' ? lines : [...lines, last];
    },
  };
}
