import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { bodyOf } from './client.ts';
import { type Context, type Option, UsageError } from './command.ts';

export const FORMATS = ['table', 'json', 'csv', 'ndjson', 'parquet', 'xlsx'] as const;
export type Format = (typeof FORMATS)[number];
const BINARY: readonly Format[] = ['parquet', 'xlsx'];

export const FORMAT_OPTIONS = {
  format: { type: 'string', short: 'f', value: 'FORMAT', doc: 'table (default), json, csv, ndjson, parquet or xlsx' },
  output: { type: 'string', short: 'o', value: 'FILE', doc: 'Write there; the name’s ending chooses the format' },
  json: { type: 'boolean', doc: 'The same as --format json' },
} as const satisfies Record<string, Option>;

/** @throws UsageError */
export function chosenFormat(context: Context): Format {
  const output = context.text('output');
  const ending = output?.slice(output.lastIndexOf('.') + 1).toLowerCase();
  const asked = context.flag('json') ? 'json' : (context.text('format') ?? FORMATS.find((format) => format === ending));
  const format =
    asked === undefined ? (output ? undefined : 'table') : FORMATS.find((candidate) => candidate === asked);
  if (!format) throw new UsageError(`Which format? It is one of ${FORMATS.join(', ')}.`);
  if (BINARY.includes(format) && !output && context.terminal.tty) {
    throw new UsageError(`${format} is not for a terminal.`, 'Add -o FILE, or pipe it.');
  }
  return format;
}

/** Streams an answer to the file or to stdout; a file appears only when it is whole. */
export async function deliver(context: Context, response: Response): Promise<void> {
  const output = context.text('output');
  const body = await bodyOf(response);
  if (!output) {
    await pipeline(body, context.stdout, { end: false });
    return;
  }
  const half = `${output}.${process.pid}.part`;
  try {
    await pipeline(body, createWriteStream(half));
    await rename(half, output);
  } finally {
    await rm(half, { force: true });
  }
  context.terminal.note(`written: ${output}`);
}
