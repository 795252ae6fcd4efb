import { DuckDBInstance } from '@duckdb/node-api';
import { type Cell, columnDefinitions, type Rows, SIGNALS, type Signal } from '../schema.ts';
import { type Appending, appendTo } from './appending.ts';

/**
 * What has been acknowledged but is not yet in a segment: one set of in-memory tables per generation, that is per
 * write-ahead file. A generation is dropped whole, because DuckDB gives back the memory of a dropped table at once
 * but that of deleted rows only after a checkpoint. Readers lease generations, so none vanishes under a query.
 */
export interface Generation {
  number: number;
  wal_id: string;
  rows: number;
  leases: number;
  /** Whose description is already in it. */
  series: Set<Cell>;
  /** In committed segments: dropped as soon as nobody reads it. */
  flushed: boolean;
}

export interface Buffer {
  instance: DuckDBInstance;
  /** `open` and `append` one at a time: the caller queues them. */
  open(walId: string): Promise<Generation>;
  append(generation: Generation, rows: Rows): Promise<void>;
  /** What was appended can be read. @returns why that is not all; then only the write-ahead file has it all */
  settle(generation: Generation): Error | undefined;
  /** Settles, too; what could not be settled is missing until a flush has read it again. The generations that hold rows not yet known to be in segments, leased until `release`. */
  lease(): { generations: Generation[]; release(): Promise<void> };
  drop(generation: Generation): Promise<void>;
  close(): void;
}

/** A DuckDB of its own with its own memory limit, so that user queries and telemetry cannot starve each other. */
export async function openBuffer(options: { memoryLimit: string; tempDirectory: string }): Promise<Buffer> {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: options.memoryLimit,
    temp_directory: options.tempDirectory,
    threads: '2',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    preserve_insertion_order: 'true',
  });
  const dropping = await instance.connect();
  // Segments never change: a trace by id over 24 of them takes 23 ms instead of 38 when their footers are kept.
  await dropping.run('SET GLOBAL parquet_metadata_cache = true');
  let dropped: Promise<unknown> = Promise.resolve();
  const generations = new Map<Generation, Appending>();
  let last = 0;

  const dropIfFree = async (generation: Generation): Promise<void> => {
    const appending = generations.get(generation);
    if (!appending || !generation.flushed || generation.leases > 0) return;
    generations.delete(generation);
    appending.close();
    const tables = SIGNALS.map((signal) => `DROP TABLE IF EXISTS ${tableOf(signal, generation)};`).join(' ');
    const drop = dropped.then(() => dropping.run(tables));
    dropped = drop.catch(() => undefined);
    await drop;
  };

  return {
    instance,
    async open(walId) {
      last += 1;
      const generation: Generation = {
        number: last,
        wal_id: walId,
        rows: 0,
        leases: 0,
        series: new Set(),
        flushed: false,
      };
      const connection = await instance.connect();
      for (const signal of SIGNALS) {
        await connection.run(`CREATE TABLE ${tableOf(signal, generation)} (${columnDefinitions(signal)})`);
      }
      generations.set(
        generation,
        appendTo(connection, (signal) => tableOf(signal, generation)),
      );
      return generation;
    },
    async append(generation, rows) {
      const fresh = { ...rows, series: rows.series.filter((row) => !generation.series.has(row.series_id)) };
      for (const signal of SIGNALS) {
        if (fresh[signal].length === 0) continue;
        await generations.get(generation)?.append(signal, fresh[signal]);
        generation.rows += fresh[signal].length;
      }
      for (const { series_id } of fresh.series) generation.series.add(series_id);
    },
    settle: (generation) => generations.get(generation)?.settle(),
    lease() {
      const leased = [...generations.keys()].filter((each) => !each.flushed);
      for (const each of leased) {
        generations.get(each)?.settle();
        each.leases += 1;
      }
      return {
        generations: leased,
        async release() {
          for (const each of leased) {
            each.leases -= 1;
            await dropIfFree(each);
          }
        },
      };
    },
    async drop(generation) {
      generation.flushed = true;
      await dropIfFree(generation);
    },
    close() {
      for (const appending of generations.values()) appending.close();
      dropping.closeSync();
      instance.closeSync();
    },
  };
}

export function tableOf(signal: Signal, generation: Generation): string {
  return `${signal}_${generation.number}`;
}
