import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../test/support/laws.ts';
import { type DrawnTrace, drawWaterfall } from './waterfall.ts';

const T0 = Date.parse('2026-01-31T12:00:00Z');
type Span = DrawnTrace['spans'][number];

function span(
  span_id: string,
  parent_span_id: string | null,
  from: number,
  ms: number,
  more: Partial<Span> = {},
): Span {
  return {
    span_id,
    parent_span_id,
    service: 'caudal-api',
    name: span_id,
    start: new Date(T0 + from).toISOString(),
    duration_ns: ms * 1e6,
    status: 'unset',
    status_message: null,
    ...more,
  };
}

const draw = (spans: Span[], width = 100) => drawWaterfall({ trace_id: 'abc', spans }, { width, color: false });

test('a trace over three processes, as it looks', () => {
  const picture = draw([
    span('upload', null, 0, 100, { service: 'caudal-cli' }),
    span('POST /uploads', 'upload', 5, 10),
    span('INSERT', 'POST /uploads', 7, 2),
    span('put part', 'upload', 20, 20, { service: 'caudal-cli' }),
    span('process load', 'upload', 50, 50, {
      service: 'caudal-worker',
      status: 'error',
      status_message: 'line 7 has too many fields',
    }),
  ]);
  assert.equal(
    picture,
    [
      'trace abc  5 spans, 3 services, 100 ms, 1 error',
      '                                                              0                             100 ms',
      'upload                               caudal-cli       100 ms ▕████████████████████████████████████▏',
      '├─ POST /uploads                     caudal-api      10.0 ms ▕ ████▍                              ▏',
      '│  └─ INSERT                         caudal-api      2.00 ms ▕  █▏                                ▏',
      '├─ put part                          caudal-cli      20.0 ms ▕       ███████▍                     ▏',
      '└─ ✗ process load                    caudal-worker   50.0 ms ▕                  ██████████████████▏',
      '     line 7 has too many fields',
    ].join('\n'),
  );
});

test('queries in a row are one line, unless they failed or are asked for', () => {
  const query = (id: string, from: number, more: Partial<Span> = {}) =>
    span(id, 'work', from, 2, { attributes: { 'db.system.name': 'postgresql' }, ...more });
  const spans = [
    span('work', null, 0, 100),
    ...[1, 10, 20].map((at) => query(`SELECT ${at}`, at)),
    span('write', 'work', 30, 10),
    ...[50, 60].map((at) => query(`UPDATE ${at}`, at)),
    query('COMMIT', 70, { status: 'error' }),
  ];
  const names = (options: { queries?: boolean }) =>
    drawWaterfall({ trace_id: 'abc', spans }, { width: 100, color: false, ...options })
      .split('\n')
      .slice(2)
      .map((line) => line.slice(0, 36).trim());
  assert.deepEqual(names({}), ['work', '├─ 3 queries', '├─ write', '├─ UPDATE 50', '├─ UPDATE 60', '└─ ✗ COMMIT']);
  assert.equal(names({ queries: true }).length, 8);
  assert.match(draw(spans), /8 spans/);
  assert.match(draw(spans), /3 queries +caudal-api +6\.00 ms/);
});

test('orphans, circles, twins and clock skew are drawn once each', () => {
  const spans = [
    span('orphan', 'not here', 0, 5),
    span('own parent', 'own parent', 1, 5),
    span('hen', 'egg', 2, 5),
    span('egg', 'hen', 3, 5),
    span('parent', null, 10, 5),
    span('earlier than its parent', 'parent', -40, 5),
    span('twin', null, 4, 1),
    span('twin', null, 4, 1),
  ];
  const lines = draw(spans).split('\n').slice(2);
  assert.equal(lines.length, 7);
  for (const { name } of spans)
    assert.equal(
      lines.filter((line) => line.includes(` ${name} `) || line.startsWith(`${name} `)).length >= 1,
      true,
      name,
    );
  assert.ok(lines.some((line) => line.startsWith('? orphan')));
});

test('a chain of ten thousand spans is drawn', () => {
  const spans = Array.from({ length: 10_000 }, (_, index) =>
    span(String(index), index === 0 ? null : String(index - 1), index, 1),
  );
  assert.equal(draw(spans).split('\n').length, 10_002);
});

test('control characters of a name do not reach the terminal', () => {
  const picture = draw([span('x', null, 0, 1, { name: 'a\u001b[2Jb\nc\u202e', service: 's\u0007' })]);
  assert.doesNotMatch(picture.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
  assert.equal(picture.split('\n').length, 3);
});

test('colour only adds colour', () => {
  const spans = [span('a', null, 0, 10), span('b', 'a', 2, 3, { status: 'error', status_message: 'no' })];
  const coloured = drawWaterfall({ trace_id: 'abc', spans }, { width: 100, color: true });
  assert.notEqual(coloured, draw(spans));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what is taken away
  assert.equal(coloured.replace(/\u001b\[[\d;]*m/g, ''), draw(spans));
});

test('durations are readable at every size', () => {
  const of = (ns: number) => draw([span('x', null, 0, ns / 1e6)]).split('\n')[0];
  const expected: [number, string][] = [
    [0, '1 ns'],
    [999, '999 ns'],
    [1500, '1.50 µs'],
    [12_345_678, '12.3 ms'],
    [999_999_999, '1.00 s'],
    [59_990_000_000, '1m 00s'],
    [123_000_000_000, '2m 03s'],
    [7_380_000_000_000, '2h 03m'],
  ];
  for (const [ns, text] of expected) assert.equal(of(ns), `trace abc  1 span, 1 service, ${text}`);
});

test('whatever the spans and the width: one line each, never wider than the terminal', () => {
  const anySpan = fc.record({
    span_id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    parent_span_id: fc.constantFrom(null, 'a', 'b', 'c', 'd', 'zz'),
    service: fc.string({ maxLength: 40, unit: 'binary' }),
    name: fc.string({ maxLength: 80, unit: 'binary' }),
    start: fc.integer({ min: -1e6, max: 1e6 }).map((ms) => new Date(T0 + ms).toISOString()),
    duration_ns: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1e12 })),
    status: fc.constantFrom('unset' as const, 'ok' as const),
    status_message: fc.constant(null),
  });
  fc.assert(
    fc.property(
      fc.array(anySpan, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 60, max: 200 }),
      (spans, width) => {
        const lines = draw(spans, width).split('\n');
        assert.equal(lines.length, 2 + new Set(spans.map((each) => each.span_id)).size);
        for (const line of lines.slice(2))
          assert.ok([...line].length <= width, `${[...line].length} > ${width}: ${line}`);
      },
    ),
    { numRuns: 50 },
  );
});
