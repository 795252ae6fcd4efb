import type { Accounting } from '#contract/accounting.ts';
import type { ReadTable } from '#contract/load.ts';
import type { Sniffed } from '#contract/reader-options.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import type { ReadContext, Reader } from '../reader.ts';
import type { Written } from '../write.ts';
import { type CarefulTable, readCarefully } from './careful.ts';
import { emptyTable } from './empty.ts';
import { type ColumnPlan, inferColumns } from './infer.ts';
import { readPlainly } from './plain.ts';
import { rewrittenDialect } from './rewrite.ts';
import { encodingFoundLate, givenConventions, linesAbove, type Survey, surveyFile } from './survey.ts';
import { applyTarget } from './target.ts';
import type { CsvSource } from './typed.ts';
import { writeWidening } from './widening.ts';

/**
 * Reads a CSV or TSV file: sniffs a sample, then DuckDB reads the file with everything pinned while
 * its records are counted independently. Where the count or the sample says that the file is not
 * plain (records over several lines, blank lines, comments, broken rows …) the careful reader takes
 * its place. Inferred columns widen; only structural faults go to quarantine.
 * @throws undecodable_text, too_many_columns, accounting_imbalance
 */
export const readCsv: Reader = async (file, context) => {
  if (file.size === 0) return [emptyTable()];
  const survey = await surveyFile(file, context);
  context.sniffed();
  if (survey === undefined) return [emptyTable()];
  const tables = await plainTables(survey, context);
  if (tables) return tables;
  const encoding = encodingFoundLate(survey, context);
  const again = encoding === undefined ? undefined : await surveyFile(file, context, encoding);
  if (again === undefined) return await readTables(survey, context);
  return (await plainTables(again, context)) ?? (await readTables(again, context));
};

async function plainTables(survey: Survey, context: ReadContext): Promise<ReadTable[] | undefined> {
  const plain = await readPlainly(survey, context);
  return plain && [describe(survey, plain.plans, plain.written, plain.source_id, plain.accounting)];
}

/** The careful way. */
async function readTables(survey: Survey, context: ReadContext): Promise<ReadTable[]> {
  const { layout, records, dialect } = survey;
  const first = records[layout.first];
  const last = records.at(-1);
  const tables = await readCarefully(context, {
    path: survey.path,
    dialect,
    offset: first?.offset ?? last?.end ?? 0,
    line: first?.line ?? (last?.line ?? 0) + 1,
    width: layout.width,
    names: survey.names,
    header: layout.header,
    pads: layout.pads,
    plans: survey.plans,
    damaged: survey.damaged,
  });
  const read: ReadTable[] = [];
  for (const [index, table] of tables.entries()) read.push(await loadTable(survey, context, table, index));
  return read;
}

async function loadTable(survey: Survey, context: ReadContext, table: CarefulTable, index: number): Promise<ReadTable> {
  const source_id = newId();
  const source: CsvSource = {
    ...rewrittenDialect(survey.dialect),
    path: table.path,
    newline: '\n',
    skip: 0,
    numbered: true,
    first_line: 0,
    longest: table.longest,
    null_values: context.request.options.null_values ?? [],
  };
  const plans =
    index === 0
      ? plansFor(survey, context, table)
      : inferColumns(table.names, table.sample, givenConventions(context.request.options), survey.dialect.delimiter)
          .plans;
  const { written, plans: used } = await writeWidening(context, source, plans, source_id, groupRows(table));
  if (written.rows !== table.accepted) {
    throw fail('accounting_imbalance', `Of ${table.accepted} rows that were read, ${written.rows} were written.`, {
      hint: 'Nothing was stored. This is a fault of Caudal: please report it with the file.',
    });
  }
  const accounting =
    index === 0
      ? { ...table.accounting, skipped: [...linesAbove(survey), ...table.accounting.skipped].slice(0, 100) }
      : table.accounting;
  const described = describe(
    { ...survey, layout: { ...survey.layout, header: table.header } },
    used,
    written,
    source_id,
    accounting,
  );
  return {
    ...described,
    ...(index === 0 ? {} : { name: `table_${index + 1}` }),
    ...(table.quarantine_path === undefined ? {} : { quarantine_path: table.quarantine_path }),
  };
}

/** The careful reader saw more rows than the survey did. */
function plansFor(survey: Survey, context: ReadContext, table: CarefulTable): ColumnPlan[] {
  const { plans, conventions } = inferColumns(
    table.names,
    table.sample,
    survey.conventions.given,
    survey.dialect.delimiter,
  );
  return applyTarget(plans, table.sample, conventions, context.request, survey.plans);
}

/** Row groups of about 8 MB of text, so that few long rows still keep every core busy. */
function groupRows(table: CarefulTable): number | undefined {
  if (table.accepted === 0 || table.bytes === 0) return undefined;
  const rows = Math.floor(8e6 / (table.bytes / table.accepted) / 2048) * 2048;
  return rows < 122_880 ? Math.max(2048, rows) : undefined;
}

function describe(
  survey: Survey,
  plans: ColumnPlan[],
  written: Written,
  source_id: string,
  accounting: Accounting,
): ReadTable {
  const { dialect, layout, records, conventions, encoding } = survey;
  const first = records[layout.top];
  const sniffed: Sniffed = {
    format: dialect.delimiter === '\t' ? 'tsv' : 'csv',
    encoding,
    delimiter: dialect.skip_space ? `${dialect.delimiter.trimEnd()} ` : dialect.delimiter,
    quote: dialect.quote,
    escape: dialect.escape,
    header: layout.header !== undefined,
    skip: Math.max(0, (first?.line ?? 1) - 1),
    decimal: conventions.decimal,
    newline: dialect.newline,
    ...(dialect.comment === '' ? {} : { comment: dialect.comment }),
    ...(conventions.thousands === undefined ? {} : { thousands: conventions.thousands }),
    ...(plans.some((plan) => /-(dmy|mdy)/.test(plan.kind.id)) ? { date_order: conventions.date_order } : {}),
  };
  return { source_id, sniffed, columns: written.columns, segments: written.segments, accounting };
}
