import type { DeclaredColumn } from '#contract/datasets.ts';
import type { Principal } from '#contract/principal.ts';
import { CaudalError, type FieldError, fail } from '#kernel/errors.ts';
import type { ReceivedFile } from '#platform/http/multipart.ts';
import type { FormDeps, RowTarget } from './deps.ts';

/** A row as a form brings it: values by column, mostly texts, and photos beside them. */
export interface Submission {
  target: RowTarget;
  record: Record<string, unknown>;
  /** Names that came more than once. */
  repeated: readonly string[];
  files: readonly ReceivedFile[];
  /** Column → photo that is stored already. */
  kept: Record<string, string>;
  /** True where the record's file columns may name files of the workspace by id: for programs with a right of their own. */
  names_files: boolean;
  principal: Principal | null;
}

/** A row with its photos stored, to be judged. */
export interface ReadRow {
  record: Record<string, unknown>;
  /** Column → id, of the photos that were right. */
  photos: Record<string, string>;
  /** What was wrong with the sending itself: photos that are none, names that came twice. */
  refusals: CaudalError[];
}

/** Stores the photos of a row and puts their ids into it. @throws image_busy */
export async function readRow(deps: Pick<FormDeps, 'photos'>, submission: Submission): Promise<ReadRow> {
  const { stored, refusals } = await storePhotos(deps, submission);
  const photos = { ...submission.kept, ...stored };
  const record = Object.assign(Object.create(null), withoutFiles(submission), photos);
  return { record, photos, refusals: [...submission.repeated.map(repeatedField), ...refusals.values()] };
}

/** A photo that came and was refused is not missing besides. */
export function allErrors(faults: readonly FieldError[], refusals: readonly CaudalError[]): FieldError[] {
  const refused = refusals.flatMap(({ errors = [] }) => errors);
  const fields = new Set(refused.map(({ field }) => field));
  return [...faults.filter(({ field, code }) => !(code === 'required' && fields.has(field))), ...refused];
}

interface SentPhotos {
  /** Column → id. */
  stored: Record<string, string>;
  /** Column → why not. */
  refusals: Map<string, CaudalError>;
}

/** One after the other: a form has few, and the images room bounds what all forms do at once. */
async function storePhotos(deps: Pick<FormDeps, 'photos'>, submission: Submission): Promise<SentPhotos> {
  const { target, files, principal } = submission;
  const stored: Record<string, string> = Object.create(null);
  const refusals: SentPhotos['refusals'] = new Map();
  const take = async (column: DeclaredColumn, store: () => Promise<string>): Promise<void> => {
    try {
      stored[column.name] = await store();
    } catch (error) {
      if (!(error instanceof CaudalError) || !error.errors) throw error;
      refusals.set(column.name, error);
    }
  };
  for (const { field, filename, size, path } of files) {
    // A picker in which nothing was chosen is sent as an empty file without a name.
    if (size === 0 && filename === '') continue;
    const column = fileColumn(target.columns, field);
    if (!column) {
      refusals.set(field, refusal(field, 'unknown_column', `"${field.slice(0, 200)}" is no file column.`));
    } else if (stored[column.name] !== undefined) {
      refusals.set(field, refusal(field, 'repeated_column', `"${column.name}" is there twice.`));
    } else {
      await take(column, () => deps.photos.store(target, { column, path }, principal));
    }
  }
  for (const [column, file_id] of namedFiles(submission)) {
    if (stored[column.name] !== undefined || refusals.has(column.name)) continue;
    await take(column, () => deps.photos.adopt(target, { column, file_id }, principal));
  }
  return { stored, refusals };
}

function namedFiles({ names_files, record, target }: Submission): [DeclaredColumn, string][] {
  if (!names_files) return [];
  return Object.entries(record).flatMap(([name, value]): [DeclaredColumn, string][] => {
    const column = fileColumn(target.columns, name);
    return column && value !== null && value !== '' ? [[column, String(value)]] : [];
  });
}

function fileColumn(columns: readonly DeclaredColumn[], field: string): DeclaredColumn | undefined {
  const files = columns.filter(({ type }) => type === 'file');
  return (
    files.find(({ name }) => name === field) ?? files.find(({ name }) => name.toLowerCase() === field.toLowerCase())
  );
}

function refusal(field: string, code: string, message: string): CaudalError {
  return fail('invalid_input', message, { errors: [{ field, code, message }] });
}

/** File columns hold what was stored: what a stranger names must not end up in a row as a file of the workspace. */
function withoutFiles({ record, target }: Submission): Record<string, unknown> {
  const files = new Set(target.columns.filter(({ type }) => type === 'file').map(({ name }) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(record).filter(([name]) => !files.has(name.toLowerCase())));
}

function repeatedField(field: string): CaudalError {
  return refusal(field, 'repeated_column', `"${field.slice(0, 200)}" is there twice.`);
}

/** What a program is answered: a photo's own code says most when nothing else is wrong. */
export function answerTo(errors: FieldError[], refusals: readonly CaudalError[]): CaudalError {
  const [only] = refusals;
  if (only && refusals.length === 1 && only.errors?.length === errors.length) return only;
  return fail('invalid_input', errors.map(({ field, message }) => `${field}: ${message}`).join('; '), { errors });
}
