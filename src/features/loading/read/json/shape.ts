import type { Outline } from './outline.ts';

type ObjectOutline = Extract<Outline, { kind: 'object' }>;

/** Where the rows of a document are. Positions are those of the file. */
export type Shape =
  /** Every element is a row. `features`: GeoJSON's, whose properties become columns. */
  | { kind: 'rows'; start: number; end: number; features: boolean; dropped: string[] }
  /** Every member is a column: of arrays of one length, or of objects keyed 0, 1, 2 … */
  | { kind: 'columns'; keyed: boolean; columns: { name: string; start: number; end: number }[]; rows: number }
  /** Every member's value is a row (pandas' `orient="index"`); keys that are not 0, 1, 2 … become a column `key`. */
  | { kind: 'indexed'; start: number; end: number; keep_keys: boolean }
  /** The document is one row. */
  | { kind: 'record'; start: number; end: number; features: boolean };

/** Names under which APIs send their rows, beside page numbers and the like. */
const WRAPPERS = new Set(
  'data rows items records results result values value entries list docs documents hits objects content payload response body features elements members observations'.split(
    ' ',
  ),
);
/** An array of that many objects is a table whatever its name. */
const SURELY_A_TABLE = 10;

/**
 * Decides, from its outline, what is a row in a document whose top level is not an array:
 *  - GeoJSON: `features` of a FeatureCollection; a Feature is one row;
 *  - all members are arrays of one length: columns; all are objects with the same integer keys: columns too
 *    (pandas' `orient="columns"`); all keys are integers and all members objects: rows (`orient="index"`);
 *  - a wrapper: the only member, or the only array of objects under one of the usual names (or of ten and
 *    more objects), also one or two levels down; what stands beside it is reported as dropped;
 *  - anything else is one row.
 */
export function shapeOf(outline: Outline): Shape {
  const { start, end } = outline;
  if (outline.kind === 'array') return { kind: 'rows', start, end, features: false, dropped: [] };
  if (outline.kind === 'scalar') return { kind: 'record', start, end, features: false };
  const record: Shape = { kind: 'record', start, end, features: isType(outline, 'Feature') };
  if (outline.count === 0 || record.features) return record;
  return features(outline) ?? columns(outline) ?? indexed(outline) ?? wrapped(outline, []) ?? record;
}

function isType(outline: ObjectOutline, type: string): boolean {
  const member = outline.members?.get('type');
  return member?.kind === 'scalar' && member.text === JSON.stringify(type);
}

function features(outline: ObjectOutline): Shape | undefined {
  if (!isType(outline, 'FeatureCollection')) return undefined;
  const found = outline.members?.get('features');
  if (found?.kind !== 'array') return undefined;
  const dropped = [...(outline.members?.keys() ?? [])].filter((key) => !['type', 'features'].includes(key));
  return { kind: 'rows', start: found.start, end: found.end, features: true, dropped };
}

function columns(outline: ObjectOutline): Shape | undefined {
  const found = [...(outline.members ?? [])];
  const first = found[0]?.[1];
  if (first === undefined || first.kind === 'scalar') return undefined;
  const keyed = first.kind === 'object';
  if (found.length === 1 && first.count === 0) return undefined;
  for (const [, member] of found) {
    if (member.kind === 'scalar' || member.kind !== first.kind) return undefined;
    if (member.count !== first.count) return undefined;
    if (member.kind === 'object') {
      if (!member.integer_keys || first.kind !== 'object' || member.key_hash !== first.key_hash) return undefined;
    } else if (found.length === 1 && member.holds.scalars < member.count) return undefined;
    else if (member.holds.objects > 0) return undefined;
  }
  if (keyed && (outline.integer_keys || first.count === 0)) return undefined;
  const list = found.map(([name, { start, end }]) => ({ name, start, end }));
  return { kind: 'columns', keyed, columns: list, rows: first.count };
}

function indexed(outline: ObjectOutline): Shape | undefined {
  if (!outline.integer_keys || outline.holds.objects < outline.count) return undefined;
  return { kind: 'indexed', start: outline.start, end: outline.end, keep_keys: !outline.counted_keys };
}

function wrapped(outline: ObjectOutline, dropped: string[]): Shape | undefined {
  const found = [...(outline.members ?? [])];
  const named = found.filter(([key, member]) => isTable(member) && (found.length === 1 || isWrapper(key, member)));
  const filled = named.filter(([, member]) => member.kind === 'array' && member.count > 0);
  const tables = filled.length > 0 ? filled : named;
  const chosen = tables.length === 1 ? tables[0] : undefined;
  if (chosen) {
    const { start, end } = chosen[1];
    const beside = [...dropped, ...others(found, chosen[0])];
    return { kind: 'rows', start, end, features: false, dropped: beside };
  }
  const inner = found.filter(
    ([key, member]) => member.kind === 'object' && (found.length === 1 || WRAPPERS.has(key.toLowerCase())),
  );
  const [key, member] = inner.length === 1 ? (inner[0] ?? []) : [];
  if (key === undefined || member?.kind !== 'object') return undefined;
  return wrapped(member, [...dropped, ...others(found, key)]);
}

function others(found: [string, Outline][], chosen: string): string[] {
  return found.map(([key]) => key).filter((key) => key !== chosen);
}

function isTable(member: Outline): boolean {
  return member.kind === 'array' && member.holds.scalars === 0;
}

function isWrapper(key: string, member: Outline): boolean {
  if (member.kind !== 'array') return false;
  return WRAPPERS.has(key.toLowerCase()) || (member.holds.objects === member.count && member.count >= SURELY_A_TABLE);
}
