import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Runs somebody's program with the stock SDK to its end, with nothing but this environment. @returns its trace */
export async function foreignProgram(env: Record<string, string>): Promise<string> {
  const program = join(import.meta.dirname, '../fixtures/foreign-program.mjs');
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { env });
  assert.equal(stderr, '');
  return stdout.trim();
}
