import type { ReaderOptions } from '#contract/reader-options.ts';
import { type DateOrder, isNullWord, KINDS, type Kind, kindsOfType, TEXT } from './kinds.ts';

/** How one column is read. */
export interface ColumnPlan {
  name: string;
  kind: Kind;
  /** Texts that mean "no value" here. */
  nulls: string[];
  /** Blanks around values are dropped (never in text). */
  trim: boolean;
  /** A type was asked for: what does not fit goes to quarantine instead of widening the column. */
  declared: boolean;
  required: boolean;
}

/** What is known about the conventions of the file as a whole; it decides what one column leaves open. */
export interface Conventions {
  decimal: '.' | ',';
  date_order: DateOrder;
  thousands: string | undefined;
  given: Pick<ReaderOptions, 'decimal' | 'thousands' | 'date_order' | 'null_values'>;
}

/** What the cells of one column leave possible. */
interface Evidence {
  alive: Kind[];
  nulls: Set<string>;
  values: number;
  trim: boolean;
}

export function evidenceOf(cells: Iterable<string | undefined>): Evidence {
  const evidence: Evidence = { alive: [...KINDS], nulls: new Set(), values: 0, trim: false };
  for (const cell of cells) {
    if (cell === undefined || cell === '') continue;
    const text = cell.trim();
    if (text === '' || isNullWord(text)) {
      evidence.nulls.add(cell);
      continue;
    }
    if (text.length !== cell.length) evidence.trim = true;
    evidence.values += 1;
    if (text.length > 64) evidence.alive = [];
    else if (!evidence.alive[0]?.matches(text) || evidence.alive.length > 1) {
      evidence.alive = evidence.alive.filter((kind) => kind.matches(text));
    }
    if (evidence.alive.length === 0) break;
  }
  if (evidence.values === 0) evidence.alive = [];
  return evidence;
}

/**
 * Infers every column from sampled cells. Ambiguities ("1,234", "03/04/2020") are settled by the
 * other columns, then by the delimiter (a file with `;` has decimal commas), then day first.
 */
export function inferColumns(
  names: string[],
  rows: readonly (readonly string[])[],
  given: Conventions['given'],
  delimiter: string,
): { plans: ColumnPlan[]; conventions: Conventions } {
  const evidence = names.map((_, index) => evidenceOf(rows.map((row) => row[index])));
  const conventions = agree(evidence, given, delimiter);
  const plans = names.map((name, index) => plan(name, evidence[index] as Evidence, conventions));
  return { plans, conventions };
}

function plan(name: string, evidence: Evidence, conventions: Conventions): ColumnPlan {
  const kind = choose(evidence.alive, conventions);
  const typed = kind !== TEXT;
  return {
    name,
    kind,
    nulls: typed ? [...evidence.nulls].slice(0, 20) : [...evidence.nulls].filter((word) => word === '\\N'),
    trim: typed && evidence.trim,
    declared: false,
    required: false,
  };
}

function agree(evidence: Evidence[], given: Conventions['given'], delimiter: string): Conventions {
  const votes = { '.': 0, ',': 0, dmy: 0, mdy: 0 };
  let thousands: string | undefined;
  for (const { alive } of evidence) {
    const ids = alive.map((kind) => kind.id);
    if (ids.length === 0 || ids[0] === 'integer') continue;
    const comma = ids.some((id) => id.startsWith('number,') || id === 'integer_.');
    const point = ids.some((id) => id === 'number' || id.startsWith('number.') || id === 'integer_,');
    if (comma && !point) votes[','] += 1;
    if (point && !comma) votes['.'] += 1;
    const dmy = ids.some((id) => id.includes('-dmy'));
    const mdy = ids.some((id) => id.includes('-mdy'));
    if (dmy && !mdy) votes.dmy += 1;
    if (mdy && !dmy) votes.mdy += 1;
    const grouped = alive.find((kind) => kind.id.includes('_'));
    if (grouped && alive[0] === grouped) thousands ??= grouped.id.split('_')[1]?.slice(0, 1);
  }
  const commaWins = votes[','] > votes['.'] || (votes[','] === votes['.'] && delimiter === ';');
  return {
    decimal: given.decimal ?? (commaWins ? ',' : '.'),
    date_order: given.date_order ?? (votes.mdy > votes.dmy ? 'mdy' : 'dmy'),
    thousands: given.thousands ?? thousands,
    given,
  };
}

function choose(alive: Kind[], conventions: Conventions): Kind {
  const allowed = alive.filter((kind) => allows(kind, conventions));
  const [first] = allowed;
  if (first === undefined) return TEXT;
  if (first.id === 'integer') return first;
  const prefer = (id: string) => allowed.find((kind) => kind.id === id);
  // "1.234" is a decimal unless the file writes decimals with commas; "1,234" is grouped unless it does.
  if (first.id === 'number' && conventions.decimal === ',') return prefer('integer_.') ?? first;
  if (first.id === 'number,' && conventions.decimal === '.') return prefer('integer_,') ?? first;
  return allowed.find((kind) => kind.id.includes(`-${conventions.date_order}`)) ?? first;
}

/** What the caller said about decimals, grouping and dates rules other readings out. */
function allows(kind: Kind, { given }: Conventions): boolean {
  const { id } = kind;
  if (given.decimal === '.' && (id.startsWith('number,') || id === 'integer_.')) return false;
  if (given.decimal === ',' && (id === 'number' || id.startsWith('number.') || id === 'integer_,')) return false;
  if (given.thousands !== undefined && id.includes('_') && !id.includes(`_${given.thousands || '∅'}`)) return false;
  if (given.date_order === 'dmy' && id.includes('-mdy')) return false;
  if (given.date_order === 'mdy' && id.includes('-dmy')) return false;
  return true;
}

/** The best reading of a type that was asked for: the kind that most of the sample fits. */
export function kindOfType(
  type: string,
  cells: Iterable<string | undefined>,
  conventions: Conventions,
): Kind | undefined {
  const kinds = kindsOfType(type).filter((kind) => allows(kind, conventions));
  const sample = [...cells].filter((cell): cell is string => cell !== undefined && cell.trim() !== '').slice(0, 1000);
  const scored = kinds.map((kind) => ({ kind, fits: sample.filter((cell) => kind.matches(cell.trim())).length }));
  const most = Math.max(0, ...scored.map((entry) => entry.fits));
  const best = scored.filter((entry) => entry.fits === most).map((entry) => entry.kind);
  return best.length > 0 ? (best.find((kind) => kind.id.includes(`-${conventions.date_order}`)) ?? best[0]) : undefined;
}
