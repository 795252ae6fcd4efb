import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { inRoot } from '../../scripts/docs/generated.ts';
import { NGINX } from '../support/nginx.ts';

test('nginx takes deploy/nginx/caudal.conf', { skip: NGINX === undefined && 'without nginx' }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-nginx-'));
  try {
    const args = ['-p', directory, '-c', inRoot('deploy/nginx/caudal.conf'), '-t'];
    const { status, stderr } = spawnSync(NGINX ?? '', args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
