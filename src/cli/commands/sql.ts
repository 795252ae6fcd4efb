import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { chosenFormat, deliver, FORMAT_OPTIONS } from '../formats.ts';
import { count, type RowsAnswer, showRows } from '../show.ts';

export const command: Command = {
  usage: "sql 'SELECT …' [--param VALUE…] [--format FORMAT] [-o FILE]",
  description:
    'Read-only. Every dataset is a table of its name; _source joins sources. Without a query, stdin is read.',
  examples: [
    ["caudal sql 'SELECT city, count(*) AS n FROM reviews GROUP BY city ORDER BY n DESC'", 'a table on the terminal'],
    ["caudal sql 'SELECT * FROM reviews WHERE city = ?' --param Bogotá -o bogota.csv", 'with a parameter, into a file'],
    ['caudal sql < report.sql', 'from a file'],
  ],
  options: {
    param: {
      type: 'string',
      short: 'p',
      multiple: true,
      value: 'VALUE',
      doc: 'For each ? in turn, or NAME=VALUE for $NAME',
    },
    limit: { type: 'string', value: 'N', doc: 'At most so many rows' },
    file: { type: 'string', value: 'FILE', doc: 'Read the query from a file' },
    ...FORMAT_OPTIONS,
  },
  arguments: { min: 0, max: 1 },
  traced: true,
  async run(context) {
    const query = await queryText(context);
    const format = chosenFormat(context);
    const client = await context.client();
    const body = {
      query,
      ...parameters(context.all('param')),
      ...(context.text('limit') ? { limit: limit(context) } : {}),
    };
    if (format !== 'table' && (format !== 'json' || context.text('output'))) {
      await deliver(context, await client.call(`sql.${format}`, { method: 'POST', body, headers: { accept: '*/*' } }));
      return EXIT.ok;
    }
    const answer = await client.post<RowsAnswer>('sql', body);
    if (format === 'json') {
      context.terminal.json(answer);
      return EXIT.ok;
    }
    showRows(context.terminal, answer);
    context.terminal.note(context.terminal.paint('dim', `${count(answer.rows.length)} rows`));
    return EXIT.ok;
  },
};

async function queryText(context: Context): Promise<string> {
  const [given] = context.args;
  const file = context.text('file');
  if (given && given !== '-') return given;
  if (file) return readFile(file, 'utf8');
  if (context.stdin.isTTY) throw new UsageError('There is no query.', "caudal sql 'SELECT 1', --file FILE, or stdin");
  return readAll(context.stdin);
}

const NAMED = /^([A-Za-z_]\w*)=(.*)$/s;

/** All named or all in turn. A value that is a JSON number, true, false or null is one; anything else is text. */
export function parameters(given: string[]): { params?: unknown[] | Record<string, unknown> } {
  if (given.length === 0) return {};
  const named = given.map((text) => NAMED.exec(text));
  if (named.every((match) => match !== null)) {
    return { params: Object.fromEntries(named.map((match) => [match[1] ?? '', scalar(match[2] ?? '')])) };
  }
  return { params: given.map(scalar) };
}

function scalar(text: string): unknown {
  if (/^-?(0|[1-9]\d{0,14})(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text === 'null' ? null : text;
}

function limit(context: Context): number {
  const value = Number(context.text('limit'));
  if (!Number.isInteger(value) || value < 1) throw new UsageError('--limit must be a whole number above 0.');
  return value;
}
