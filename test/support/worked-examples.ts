import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** A `sh` block of a page and, where a `text` block follows it at once, what it must print. */
export interface Example {
  line: number;
  script: string;
  prints: string | undefined;
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

export function examplesOf(path: string): Example[] {
  const page = readFileSync(path, 'utf8');
  const examples: Example[] = [];
  let end = 0;
  for (const match of page.matchAll(FENCE)) {
    const [whole, language, body = ''] = match;
    const last = examples.at(-1);
    if (language === 'sh')
      examples.push({ line: page.slice(0, match.index).split('\n').length, script: body, prints: undefined });
    if (language === 'text' && last && page.slice(end, match.index).trim() === '') last.prints = body;
    end = match.index + whole.length;
  }
  return examples;
}

export interface Ran {
  example: Example;
  out: string;
}

const MARK = '\u241e';

/**
 * Runs the examples one after the other in one bash, as somebody does who types them in, until one fails.
 *
 * @throws with the page's line, what was printed and what the shell said
 */
export async function runExamples(
  examples: Example[],
  options: { cwd: string; env: Record<string, string | undefined>; replace: [from: string, to: string] },
): Promise<Ran[]> {
  const [from, to] = options.replace;
  const script = examples.map(({ script: each }) => `${each.replaceAll(from, to)}\nprintf '${MARK}'\n`).join('');
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const printed = out.split(MARK);
  if (code !== 0) {
    const at = examples[printed.length - 1];
    throw new Error(`the example at line ${at?.line} ended with ${code}:\n${at?.script}\n${printed.at(-1)}\n${err}`);
  }
  return examples.map((example, index) => ({ example, out: printed[index] ?? '' }));
}

/** Whether a text is as the page shows it: `…` stands for anything, line ends and blanks at them do not count. */
export function looksLike(shown: string, printed: string): boolean {
  const plain = (text: string): string => text.replaceAll(/[ \t\r]+$/gm, '').trim();
  const pattern = plain(shown)
    .split('…')
    .map((part) => RegExp.escape(part))
    .join('[\\s\\S]*?');
  return new RegExp(`^${pattern}$`).test(plain(printed));
}
