import { closeSync, openSync, readSync } from 'node:fs';
import { quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import type { ReadTable } from '#contract/load.ts';
import { CaudalError, fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { columnNames } from '../csv/names.ts';
import type { OpenedFile, ReadContext, Reader } from '../reader.ts';
import { createQuarantine, type GivenType, givenType, type QuarantineFile, writeTexts } from '../rows/table.ts';
import { type Written, writeTable } from '../write.ts';
import { checkPages } from './pages.ts';
import { castExpression, type Expression } from './types.ts';

const REPAIR = 'Write the file again with the program that made it, and test it by reading all of its columns.';

/**
 * Reads a Parquet file: rows are numbered from 1, types become ours, nested values JSON. Footer and pages are
 * checked first, then the child's own DuckDB decodes every value: what breaks it breaks nothing else.
 * @throws truncated_file, corrupt_file, encrypted_file, too_many_columns
 */
export const readParquet: Reader = async (file, context) => {
  checkPages(file.path, file.size, footerBytes(file));
  try {
    return [await read(file, context)];
  } catch (error) {
    throw describe(error);
  }
};

/** Length of the footer; a file that was cut off is told from a damaged one. */
function footerBytes(file: OpenedFile): number {
  const tail = Buffer.alloc(8);
  const descriptor = openSync(file.path, 'r');
  try {
    readSync(descriptor, tail, 0, 8, Math.max(0, file.size - 8));
  } finally {
    closeSync(descriptor);
  }
  const magic = tail.toString('latin1', 4);
  if (magic === 'PARE') throw fail('encrypted_file', 'The Parquet file is encrypted.');
  if (file.size < 12 || magic !== 'PAR1') {
    throw fail('truncated_file', 'The Parquet file ends without its footer.', {
      hint: 'The upload or the download before it was probably cut off; get the file again.',
    });
  }
  const length = tail.readUInt32LE(0);
  if (length <= file.size - 12) return length;
  throw fail('corrupt_file', `The Parquet footer claims ${length} bytes, more than the file has.`, { hint: REPAIR });
}

interface ParquetColumn extends Expression {
  name: string;
  given: GivenType | undefined;
}

async function read(file: OpenedFile, context: ReadContext): Promise<ReadTable> {
  // An instant is stored in UTC, whatever the machine's zone.
  await context.connection.run("SET TimeZone = 'UTC'");
  const source = `read_parquet(${quoteLiteral(file.path)}, hive_partitioning = false)`;
  const columns = await columnsOf(context, source);
  const source_id = newId();
  const quarantine = createQuarantine(context);
  const written = columns.some((column) => column.given && column.given.type !== column.type)
    ? await writeGiven(context, file, columns, quarantine, source_id)
    : await writeTable(context, {
        relation: `SELECT ${columns.map(({ name, sql }) => `${sql} AS ${quoteIdentifier(name)}`).join(', ')} FROM ${source}`,
        columns: columns.map(({ name, type }) => ({ name, type })),
        first_line: 1,
        source_id,
      });
  context.progress(file.size, written.rows);
  const read_rows = written.rows + quarantine.rows;
  return {
    source_id,
    sniffed: { format: 'parquet' },
    columns: written.columns,
    segments: written.segments,
    accounting: { read: read_rows, accepted: written.rows, quarantined: quarantine.rows, duplicates: 0, skipped: [] },
    ...(quarantine.rows > 0 ? { quarantine_path: quarantine.path } : {}),
  };
}

/** Types were given that are not the file's: values go through their texts, as those of other formats do. */
async function writeGiven(
  context: ReadContext,
  file: OpenedFile,
  columns: ParquetColumn[],
  quarantine: QuarantineFile,
  source_id: string,
): Promise<Written> {
  const cells = columns.map(({ sql }, index) => `CAST(${sql} AS VARCHAR) AS c${index}`);
  const relation = `(SELECT file_row_number + 1 AS line, ${cells.join(', ')}
    FROM read_parquet(${quoteLiteral(file.path)}, hive_partitioning = false, file_row_number = true))`;
  const texts = columns.map(({ name, type, given }, index) => ({
    source: name,
    name,
    type: given?.type ?? type,
    given: given?.strict ?? false,
    required: given?.required ?? false,
    cell: `c${index}`,
    shown: false,
  }));
  return await writeTexts(context, { relation, columns: texts, quarantine, source_id, first_line: 1 });
}

async function columnsOf(context: ReadContext, source: string): Promise<ParquetColumn[]> {
  const described = (await context.connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`)).getRowsJson();
  const { max_columns } = context.request.limits;
  if (described.length > max_columns) {
    throw fail('too_many_columns', `The file has ${described.length} columns; at most ${max_columns} are read.`);
  }
  const names = columnNames(
    described.map(([name]) => String(name)),
    described.length,
  );
  const columns: ParquetColumn[] = [];
  for (const [index, [source_name, type]] of described.entries()) {
    const name = names[index] ?? String(source_name);
    const column = quoteIdentifier(String(source_name));
    columns.push({
      name,
      given: givenType(context, name),
      ...(await castExpression(context.connection, source, column, String(type))),
    });
  }
  return columns;
}

/** DuckDB's words for what it could not read, as an error about the file. */
function describe(error: unknown): unknown {
  if (error instanceof CaudalError || !(error instanceof Error)) return error;
  if (/out of memory|no space left/i.test(error.message)) return error;
  const reason = error.message.split('\n', 1)[0]?.replace(/^(Invalid|IO|INTERNAL|Invalid Input) Error: /, '') ?? '';
  return fail('corrupt_file', `The Parquet file cannot be read: ${reason.slice(0, 300)}`, {
    hint: REPAIR,
    cause: error,
  });
}
