import assert from 'node:assert/strict';
import test from 'node:test';
import { clip, displayWidth, openTerminal, type Terminal, visible } from './terminal.ts';
import { alignmentOf, textTable } from './text-table.ts';

function terminal(options: { tty: boolean; columns?: number; env?: Record<string, string> }): Terminal {
  const stream = { isTTY: options.tty, columns: options.columns ?? 80, write: () => true };
  const stdout = stream as unknown as NodeJS.WriteStream;
  return openTerminal({ stdout, stderr: stdout, env: options.env ?? {} });
}

test('a text takes as many columns as a terminal gives it', () => {
  assert.equal(displayWidth('Bogotá'), 6);
  assert.equal(displayWidth('Bogota\u0301'), 6, 'combining accent');
  assert.equal(displayWidth('東京'), 4);
  assert.equal(displayWidth('👩‍👩‍👧 x'), 4);
  assert.equal(displayWidth('\x1b[31mred\x1b[39m'), 3);
});

test('a long text is cut between characters, never through one', () => {
  assert.equal(clip('caudal', 6), 'caudal');
  assert.equal(clip('caudales', 6), 'cauda…');
  assert.equal(clip('東京都庁', 6), '東京…');
});

test('what comes from a file cannot steer the terminal', () => {
  const hostile = 'a\x1b[2Jb\nc\x07\u009b31m';
  assert.equal(visible(hostile), 'a␛[2Jb⏎c␇�31m');
  const table = textTable(terminal({ tty: true }), [{ name: 'x\x1b[1m' }], [[hostile]]);
  assert.ok(!table.replaceAll('\x1b[1m', '').replaceAll('\x1b[22m', '').includes('\x1b'));
});

test('columns are aligned; piped nothing is cut, on a terminal what does not fit is counted', () => {
  const columns = [{ name: 'city' }, { name: 'n', align: 'right' as const }];
  const rows = [
    ['Bogotá', '1,024'],
    ['A Coruña', '7'],
  ];
  const piped = textTable(terminal({ tty: false }), columns, rows);
  assert.equal(piped, ['city          n', 'Bogotá    1,024', 'A Coruña      7'].join('\n'));
  const narrow = textTable(terminal({ tty: true, columns: 10, env: { NO_COLOR: '1' } }), columns, rows);
  assert.match(narrow, /and 1 mor/);
  assert.ok(narrow.split('\n').every((line) => displayWidth(line) <= 10));
});

test('colours only for people: NO_COLOR wins, pipes get none', () => {
  assert.notEqual(terminal({ tty: true }).paint('red', 'x'), 'x');
  assert.equal(terminal({ tty: true, env: { NO_COLOR: '1' } }).paint('red', 'x'), 'x');
  assert.equal(terminal({ tty: false }).paint('red', 'x'), 'x');
});

test('numbers stand right', () => {
  assert.deepEqual(['integer', 'number', 'decimal(10,2)', 'text', 'date'].map(alignmentOf), [
    'right',
    'right',
    'right',
    'left',
    'left',
  ]);
});
