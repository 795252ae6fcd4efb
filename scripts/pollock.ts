/**
 * The typed score of the Pollock benchmark: G. Vitagliano, M. Hameed, L. Jiang, L. Reisener, E. Wu,
 * F. Naumann, "Pollock: A Data Loading Benchmark", PVLDB 16(8), 2023. Ten measures a file, each 0…1:
 * success, and precision, recall and F1 of header names, records and cells as multisets of
 * normalised values; types are no penalty (dates day first, 48.00 = 48, 00:15 = 00:15:00).
 */
export type Measures = number[];

const TIME = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?(?:\s*([AaPp])\.?[Mm]\.?)?$/;
const PRICE = /^\s*([$€£¥])\s*(-?[\d,]*\.?\d+)\s*$|^\s*(-?[\d,]*\.?\d+)\s*([$€£¥])\s*$/;
const INTEGER = /^\s*[+-]?\d+(_\d+)*\s*$/;
const FLOAT = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|^\s*[+-]?(inf|infinity|nan)\s*$/i;

export function normalise(value: string): string {
  if (value === '' || value.trim() === '') return value;
  if (value === 'True' || value === 'true') return '1';
  if (value === 'False' || value === 'false') return '0';
  if (INTEGER.test(value)) return BigInt(value.trim().replaceAll('_', '').replace(/^\+/, '')).toString();
  if (FLOAT.test(value)) return String(Number(value));
  return time(value) ?? (value.length < 64 ? date(value) : undefined) ?? price(value) ?? value.toLowerCase();
}

function time(value: string): string | undefined {
  const match = TIME.exec(value);
  if (!match) return undefined;
  const [, hours = '0', minutes = '0', seconds = '0', fraction = '', half] = match;
  const hour = half ? (Number(hours) % 12) + (half.toLowerCase() === 'p' ? 12 : 0) : Number(hours);
  if (hour > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  return `${String(hour).padStart(2, '0')}:${minutes}:${seconds.padStart(2, '0')}${fraction ? `.${fraction.padEnd(6, '0')}` : ''}`;
}

const ISO = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{2}):(\d{2}):(\d{2}))?$/;
const SLASHED = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/;

function date(value: string): string | undefined {
  const iso = ISO.exec(value.trim());
  if (iso) return stamp(Number(iso[1]), Number(iso[2]), Number(iso[3]), [iso[4], iso[5], iso[6]]);
  const slashed = SLASHED.exec(value.trim());
  if (!slashed) return undefined;
  const [a, b, year] = slashed.slice(1).map(Number) as [number, number, number];
  return stamp(year, b, a, []) ?? stamp(year, a, b, []);
}

function stamp(year: number, month: number, day: number, clock: (string | undefined)[]): string | undefined {
  const at = new Date(Date.UTC(year, month - 1, day));
  if (at.getUTCMonth() !== month - 1 || at.getUTCDate() !== day) return undefined;
  return `${at.toISOString().slice(0, 10)} ${clock.map((part) => part ?? '00').join(':') || '00:00:00'}`;
}

function price(value: string): string | undefined {
  const match = PRICE.exec(value);
  if (!match) return undefined;
  const currency = match[1] ?? match[4] ?? '';
  return currency + String(Number((match[2] ?? match[3] ?? '').replaceAll(',', '')));
}

/** |∩|/|truth|, |∩|/|loaded|, F1 over multisets; an empty truth is matched by anything. */
function agreement(truth: string[], loaded: string[]): Measures {
  if (truth.length === 0) return [1, 1, 1];
  const counts = new Map<string, number>();
  for (const value of truth) counts.set(value, (counts.get(value) ?? 0) + 1);
  let common = 0;
  for (const value of loaded) {
    const left = counts.get(value) ?? 0;
    if (left > 0) {
      common += 1;
      counts.set(value, left - 1);
    }
  }
  if (common === 0) return [0, 0, 0];
  const a = common / truth.length;
  const b = common / loaded.length;
  return [a, b, (2 * a * b) / (a + b)];
}

/** Measures of one file; rows as text, the header first (data only when there is none); undefined: not loaded. */
export function scoreFile(truth: string[][], loaded: string[][] | undefined): Measures {
  if (loaded === undefined) return new Array(10).fill(0);
  const [head, ...records] = truth;
  if (head === undefined) return new Array(10).fill(1);
  const names = loaded[0];
  const header =
    head.length === 0
      ? [1, 1, 1]
      : names === undefined
        ? [0, 0, 0]
        : agreement(head.map(normalise), names.map(normalise));
  const joined = (rows: string[][]) => rows.map((row) => row.map(normalise).join(''));
  const record = agreement(joined(records), joined(loaded.slice(1)));
  const cell = agreement(truth.flat().map(normalise), loaded.flat().map(normalise));
  return [1, ...header, ...record, ...cell];
}

export interface PollockScore {
  files: number;
  failed: number;
  perfect: number;
  /** Sum over the measures of their mean over the files; at most 10. */
  simple: number;
  /** The same weighted by how common each pollution is in the world. */
  weighted: number | undefined;
}

export function scoreAll(files: ReadonlyMap<string, Measures>, weights?: Record<string, number>): PollockScore {
  const sums = new Map([...files].map(([file, measures]) => [file, measures.reduce((a, b) => a + b, 0)]));
  const all = [...sums.values()];
  const total = [...sums.keys()].reduce((sum, file) => sum + (weights?.[file] ?? 0), 0);
  const weighted = weights && [...sums].reduce((sum, [file, score]) => sum + (score * (weights[file] ?? 0)) / total, 0);
  return {
    files: all.length,
    failed: [...files.values()].filter((measures) => measures[0] === 0).length,
    perfect: all.filter((score) => Math.abs(score - 10) < 1e-9).length,
    simple: all.reduce((a, b) => a + b, 0) / Math.max(1, all.length),
    weighted,
  };
}
