import type { Caudal } from './installation.ts';
import type { Line } from './report.ts';

/** What a row is given. Rows that need settings of their own start a Caudal of their own. */
export interface Bench {
  caudal: Caudal;
  quick: boolean;
  /** Pairs that count. */
  rounds: number;
  /** A name that no dataset has yet. */
  fresh(stem: string): string;
}

/** Measures one row of the table; some come in two lines. */
export type Row = (bench: Bench) => Promise<Line[]>;
