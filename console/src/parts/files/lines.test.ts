import assert from 'node:assert/strict';
import test from 'node:test';
import type { File } from '../../../../src/contract/files.ts';
import type { UploadEntry } from '../../uploads/entry.ts';
import { linesOf } from './lines.ts';

function file(id: string, state: File['state']): File {
  const at = '2026-01-01T00:00:00Z';
  return {
    id,
    filename: id,
    size: 1,
    content_type: null,
    sha256: null,
    state,
    trace_id: null,
    created_at: at,
    updated_at: at,
  };
}

function upload(key: string, file_id?: string): UploadEntry {
  const rest = { name: key, size: 1, last_modified: 0, dataset: '', sent: 0, state: 'uploading' } as const;
  return { key, ...rest, ...(file_id ? { file_id } : {}) };
}

const shown = (lines: ReturnType<typeof linesOf>) =>
  lines.map((line) => `${line.key} ${line.upload ? 'upload' : 'file'}`);

test('an upload keeps its line when its file is listed, and when it has arrived', () => {
  const uploads = [upload('c'), upload('b', '2'), upload('a', '1')];
  assert.deepEqual(shown(linesOf(uploads, [])), ['c upload', '2 upload', '1 upload']);
  const listed = [file('2', 'pending'), file('1', 'pending'), file('0', 'loaded')];
  assert.deepEqual(shown(linesOf(uploads, listed)), ['c upload', '2 upload', '1 upload', '0 file']);
  const arrived = [file('2', 'loading'), file('1', 'loaded'), file('0', 'loaded')];
  assert.deepEqual(shown(linesOf([upload('c')], arrived)), ['c upload', '2 file', '1 file', '0 file']);
});

test("another browser's upload is a file that arrives", () => {
  assert.deepEqual(shown(linesOf([], [file('9', 'pending')])), ['9 file']);
});
