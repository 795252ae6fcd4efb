import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import fc from '../../../../test/support/laws.ts';
import { EXPORT, encodeExport, type Pair, type Span, type Value } from '../../../../test/support/otlp-exports.ts';
import { sharedData } from '../../../../test/support/shared-data.ts';
import { messagesIn, parseWire, type WireField, type WireMessage, writeWire } from '../../../../test/support/wire.ts';
import { decodeExport } from './decode.ts';
import { flatten } from './flatten.ts';
import { ExportTraceServiceRequestSchema } from './generated/otlp_pb.ts';
import { type Sender, WORKSPACE } from './origin.ts';
import { readSpans } from './read-spans.ts';

const TENANT: Sender = { kind: 'workspace', workspace_id: '019a0000-0000-7000-8000-000000000001' };
const INTERNAL: Sender = { kind: 'internal' };
const NOW = 1_763_688_797_000_000_000n;

type Outcome = 'read' | 'left to the generic way' | 'refused';

/** Both ways must say the same, unless the direct one leaves a body to the generic one. */
function compare(body: Uint8Array, sender: Sender): Outcome {
  const direct = readSpans(body, sender, NOW);
  let generic: ReturnType<typeof flatten>;
  try {
    generic = flatten(decodeExport('traces', 'protobuf', body), sender, NOW);
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'otlp_malformed', String(error));
    assert.equal(direct, null, `read though it is refused: ${(error as Error).message}`);
    return 'refused';
  }
  if (direct === null) return 'left to the generic way';
  assert.deepEqual(direct, generic);
  return 'read';
}

const SENDER = fc.constantFrom(TENANT, INTERNAL);

test('what encoders send is read straight from the wire, and as the generic way reads it', () => {
  let spans = 0;
  fc.assert(
    fc.property(EXPORT, SENDER, (body, sender) => {
      assert.equal(compare(body, sender), 'read');
      spans += readSpans(body, sender, NOW)?.rows.spans.length ?? 0;
    }),
    { numRuns: 300 },
  );
  assert.ok(spans > 100, `${spans} spans`);
});

/** How often each outcome came, so that a law cannot hold for want of cases. */
function tally(): { count(outcome: Outcome): void; of(outcome: Outcome): number } {
  const counts = new Map<Outcome, number>();
  return {
    count: (outcome) => counts.set(outcome, (counts.get(outcome) ?? 0) + 1),
    of: (outcome) => counts.get(outcome) ?? 0,
  };
}

test('whatever happens to its bytes, a body is read alike or refused', () => {
  const outcomes = tally();
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 6 });
  const place = fc.nat(1_000_000);
  const change = fc.oneof(
    place.map((at) => (body: Buffer) => body.subarray(0, at % (body.length + 1))),
    fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, bits]) => (body: Buffer) => {
      const changed = Buffer.from(body);
      if (body.length > 0) changed[at % body.length] = (body[at % body.length] as number) ^ bits;
      return changed;
    }),
    fc.tuple(place, bytes).map(([at, inserted]) => (body: Buffer) => {
      const middle = at % (body.length + 1);
      return Buffer.concat([body.subarray(0, middle), inserted, body.subarray(middle)]);
    }),
    EXPORT.map((other) => (body: Buffer) => Buffer.concat([body, other])),
  );
  fc.assert(
    fc.property(EXPORT, fc.array(change, { minLength: 10, maxLength: 10 }), SENDER, (body, changes, sender) => {
      for (const changed of changes) outcomes.count(compare(changed(Buffer.from(body)), sender));
    }),
    { numRuns: 300 },
  );
  assert.ok(outcomes.of('read') > 500, `${outcomes.of('read')} read`);
  assert.ok(outcomes.of('refused') > 1000, `${outcomes.of('refused')} refused`);
});

const UNKNOWN: WireField[] = [
  { number: 17, wire: WireType.Varint, content: Uint8Array.of(0xff, 0x01) },
  { number: 40, wire: WireType.LengthDelimited, content: Uint8Array.of(0xff, 0xfe) },
  { number: 536_870_911, wire: WireType.Bit64, content: new Uint8Array(8) },
  { number: 33, wire: WireType.Bit32, content: new Uint8Array(4) },
];
const WRONG: WireField[] = [
  { number: 1, wire: WireType.Varint, content: Uint8Array.of(1) },
  { number: 2, wire: WireType.Bit32, content: new Uint8Array(4) },
  { number: 3, wire: WireType.StartGroup, content: Uint8Array.of(0x1c) },
  { number: 5, wire: WireType.Bit64, content: new Uint8Array(8) },
  { number: 9, wire: WireType.LengthDelimited, content: Uint8Array.of(0xff) },
  { number: 16, wire: WireType.Varint, content: new Uint8Array(10).fill(0xff) },
  {
    number: 3,
    wire: WireType.Varint,
    content: Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0xf0, 0x80, 0x80, 0x80, 0x80, 0x7e),
  },
];

/** Changes one message somewhere in a body: its lengths stay true, so that what is strange is the message alone. */
function disturb(body: Uint8Array, [at, from, to, what]: readonly [number, number, number, number]): Uint8Array {
  const whole = parseWire(ExportTraceServiceRequestSchema, body);
  const messages = messagesIn(whole);
  const message = messages[at % messages.length] as WireMessage;
  const field = message[from % message.length];
  const place = to % (message.length + 1);
  const added = [field, field, UNKNOWN[from % UNKNOWN.length], WRONG[from % WRONG.length]][what % 5];
  if (added) message.splice(place, 0, added);
  else message.splice(place, 0, ...message.splice(from % (message.length + 1), 1));
  return writeWire(whole);
}

test('repeated, unknown, misplaced and wrong fields are read alike or refused', () => {
  const outcomes = tally();
  const picks = fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat());
  fc.assert(
    fc.property(EXPORT, fc.array(picks, { minLength: 10, maxLength: 10 }), SENDER, (body, each, sender) => {
      for (const pick of each) outcomes.count(compare(disturb(body, pick), sender));
    }),
    { numRuns: 300 },
  );
  for (const outcome of ['read', 'left to the generic way', 'refused'] as const) {
    assert.ok(outcomes.of(outcome) > 100, `${outcomes.of(outcome)} ${outcome}`);
  }
});

const text = (value: string): Value => ({ value: { case: 'stringValue', value } });
const int = (value: bigint): Value => ({ value: { case: 'intValue', value } });
const list = (...values: Value[]): Value => ({ value: { case: 'arrayValue', value: { values } } });
const object = (...values: Pair[]): Value => ({ value: { case: 'kvlistValue', value: { values } } });
const pair = (key: string, value?: Value): Pair => ({ key, ...(value ? { value } : {}) });
const exportOf = (span: Span): Uint8Array => {
  const ids = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(2) };
  return encodeExport([{ scopeSpans: [{ spans: [{ ...ids, ...span }] }] }]);
};
const firstOf = (body: Uint8Array, sender: Sender) => readSpans(body, sender, NOW)?.rows.spans[0];

test('attributes are the JSON that an object of them is', () => {
  const one = text('1');
  const cases: [Pair[], string][] = [
    [[], '{}'],
    [[pair('a', one), pair('b', int(2n)), pair('a', int(3n))], '{"a":3,"b":2}'],
    [[pair('b', one), pair('10', one), pair('9', one), pair('01', one)], '{"9":"1","10":"1","b":"1","01":"1"}'],
    [[pair('4294967295', one), pair('4294967294', one)], '{"4294967294":"1","4294967295":"1"}'],
    [[pair('__proto__', one), pair('constructor', one), pair('', one)], '{"__proto__":"1","constructor":"1","":"1"}'],
    [[pair('a', list(one, object(pair('2', one), pair('1', list())), {}))], '{"a":["1",{"1":[],"2":"1"},null]}'],
    [[pair('a', object()), pair('b', object(pair('x'), pair('x', one)))], '{"a":{},"b":{"x":"1"}}'],
    [[pair('a', int(2n ** 53n - 1n)), pair('b', int(2n ** 53n))], '{"a":9007199254740991,"b":"9007199254740992"}'],
    [[pair('a', int(-(2n ** 53n))), pair('b', int(-1n))], '{"a":"-9007199254740992","b":-1}'],
    [
      [Number.NaN, -Infinity, -0, 1e21, 0.1].map((value, index) =>
        pair('abcde'.charAt(index), { value: { case: 'doubleValue', value } }),
      ),
      '{"a":"NaN","b":"-Infinity","c":0,"d":1e+21,"e":0.1}',
    ],
    [
      [pair('a', { value: { case: 'bytesValue', value: Uint8Array.of(251, 255) } }), pair('b')],
      '{"a":"+/8=","b":null}',
    ],
    [[pair('"\n', text('\u0000\u007f\\ é\u2028\ufeff🦆'))], '{"\\"\\n":"\\u0000\u007f\\\\ é\u2028\ufeff🦆"}'],
    [
      [pair(WORKSPACE, text('another')), pair('a', one)],
      `{"${WORKSPACE}":"${'019a0000-0000-7000-8000-000000000001'}","a":"1"}`,
    ],
  ];
  for (const [attributes, expected] of cases) {
    const body = exportOf({ attributes });
    assert.equal(compare(body, TENANT), 'read', expected);
    assert.equal(firstOf(body, TENANT)?.attrs, expected);
  }
  const many = Array.from({ length: 100 }, (_, index) => pair(`key-${Math.min(index, 98)}`, int(BigInt(index))));
  assert.equal(compare(exportOf({ attributes: many }), TENANT), 'read');
});

test('promoted attributes: the last of a name counts, null is none, and what is no text is its JSON', () => {
  const cases: [Pair[], Record<string, unknown>][] = [
    [[pair('http.route', text('/a')), pair('http.route', text('/b'))], { http_route: '/b' }],
    [[pair('http.route', text('/a')), pair('http.route')], { http_route: null }],
    [[pair('db.system.name', {}), pair('db.system', text('duckdb'))], { db_system: 'duckdb' }],
    [
      [pair('error.type', int(2n ** 60n)), pair('peer.service', int(7n))],
      { error_type: `${2n ** 60n}`, peer_service: '7' },
    ],
    [[pair('messaging.destination.name', list(text('"'), int(1n)))], { messaging_dest: '["\\"",1]' }],
    [[pair('http.response.status_code', int(200n)), pair('http.status_code', int(500n))], { http_status: 200 }],
    [[pair('http.response.status_code', text('404'))], { http_status: 404 }],
    [[pair('http.response.status_code'), pair('http.status_code', text(' 5e2 '))], { http_status: 500 }],
    [[pair('http.response.status_code', int(1000n))], { http_status: null }],
    [[pair('http.response.status_code', object(pair('a')))], { http_status: null }],
    [[pair('http.response.status_code', list(int(200n)))], { http_status: null }],
  ];
  for (const [attributes, columns] of cases) {
    const body = exportOf({ attributes });
    assert.equal(compare(body, TENANT), 'read', JSON.stringify(columns));
    const row = firstOf(body, TENANT);
    assert.deepEqual({ ...row, ...columns }, row);
  }
});

test("a span is its sender's, and Caudal's own spans are whose they say", () => {
  const upper = '019A0000-0000-7000-8000-00000000000F';
  const cases: [Pair[], string | null, string][] = [
    [[pair(WORKSPACE, text(upper))], upper.toLowerCase(), `{"${WORKSPACE}":"${upper.toLowerCase()}"}`],
    [[pair(WORKSPACE, text('all'))], null, `{"${WORKSPACE}":"all"}`],
    [[pair(WORKSPACE, int(7n))], null, `{"${WORKSPACE}":7}`],
    [[pair(WORKSPACE, text(upper)), pair(WORKSPACE)], null, `{"${WORKSPACE}":null}`],
    [[], null, '{}'],
  ];
  for (const [attributes, workspace_id, attrs] of cases) {
    const body = exportOf({ attributes });
    assert.equal(compare(body, INTERNAL), 'read', attrs);
    const row = firstOf(body, INTERNAL);
    assert.deepEqual([row?.workspace_id, row?.attrs], [workspace_id, attrs]);
    assert.equal(compare(body, TENANT), 'read', attrs);
    assert.equal(firstOf(body, TENANT)?.workspace_id, '019a0000-0000-7000-8000-000000000001');
  }
});

/** An attribute of as many lists in each other. */
const deep = (depth: number): { attributes: Pair[] } => {
  let value = int(1n);
  for (let level = 0; level < depth; level += 1) value = list(value);
  return { attributes: [pair('deep', value)] };
};
const nested = (depth: number): Uint8Array => exportOf(deep(depth));
const GOOD = exportOf({ name: 'ab', attributes: [pair('a', text('b')), pair('c', text('d'))] });
/** The span of GOOD with more at its end, in an export whose lengths are true again. */
const withSpan = (...added: WireField[]): Uint8Array => {
  const whole = parseWire(ExportTraceServiceRequestSchema, GOOD);
  messagesIn(whole)[3]?.push(...added);
  return writeWire(whole);
};
const held = (number: number, content: Uint8Array | WireMessage): WireField => ({
  ...{ number, wire: WireType.LengthDelimited, content },
});
const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, 'hex'));

test('rare bodies are read alike, left to the generic way or refused', () => {
  const attribute = (value: string) => withSpan(held(9, hex(`0a016b12${value}`)));
  const cases: [string, Uint8Array, Outcome][] = [
    ['nothing', new Uint8Array(0), 'read'],
    [
      'attributes between which other fields stand',
      withSpan(held(13, []), held(9, hex('0a0178')), held(3, hex('78'))),
      'read',
    ],
    ['a value before its key', withSpan(held(9, hex('12030a01760a016b'))), 'read'],
    ['neither key nor value', withSpan(held(9, [])), 'read'],
    [
      'unknown fields',
      withSpan(...UNKNOWN, held(9, hex('9a0600')), held(15, hex('0801')), held(11, hex('2a00'))),
      'read',
    ],
    ['a tag and a length with more bytes than they need', withSpan(held(9, hex('8a80008180006b'))), 'read'],
    ['a boolean of ten bytes', attribute('0b10' + '80808080808080808001'), 'read'],
    ['a boolean whose bits are beyond 64', attribute('0b10' + '80808080808080808002'), 'read'],
    [
      'a kind of more than 32 bits',
      withSpan({ number: 6, wire: WireType.Varint, content: hex('828080808001') }),
      'read',
    ],
    ['a name twice', withSpan(held(5, hex('7a'))), 'left to the generic way'],
    ['a status twice', withSpan(held(15, hex('1801')), held(15, hex('120178'))), 'left to the generic way'],
    ['a string and an integer in one value', attribute('050a01781801'), 'left to the generic way'],
    ['a list in two parts', attribute('082a020a002a020a00'), 'left to the generic way'],
    ['a key twice', withSpan(held(9, hex('0a016b0a016c'))), 'left to the generic way'],
    ['lists 16 deep', nested(16), 'read'],
    ['lists 17 deep', nested(17), 'left to the generic way'],
    ['lists 47 deep', nested(47), 'left to the generic way'],
    ['lists 48 deep', nested(48), 'refused'],
    ['a resource of lists 47 deep', encodeExport([{ resource: deep(47) }]), 'read'],
    ['a resource of lists 48 deep', encodeExport([{ resource: deep(48) }]), 'refused'],
    ['a scope of lists 47 deep', encodeExport([{ scopeSpans: [{ scope: deep(47) }] }]), 'read'],
    ['a scope of lists 48 deep', encodeExport([{ scopeSpans: [{ scope: deep(48) }] }]), 'refused'],
    ['a name that is no UTF-8', withSpan(held(3, hex('ff'))), 'refused'],
    ['a surrogate as UTF-8', attribute('050a03eda080'), 'refused'],
    ['a key that is no UTF-8, of two equal ones', withSpan(held(9, hex('0a01ff')), held(9, hex('0a01ff'))), 'refused'],
    ['a link with text that is no UTF-8', withSpan(held(13, hex('1a01c3'))), 'refused'],
    ['an event with an attribute that is too long', withSpan(held(11, hex('1a050a01'))), 'refused'],
    ['an event with a wrong wire type', withSpan(held(11, hex('0801'))), 'refused'],
    [
      'a time that its span does not hold whole',
      Buffer.concat([withSpan({ number: 7, wire: WireType.Bit64, content: hex('00') }), GOOD]),
      'refused',
    ],
    ['a status with a wrong wire type', withSpan(held(15, hex('1a00'))), 'refused'],
    ['field number 0', withSpan({ number: 0, wire: WireType.Varint, content: hex('00') } as WireField), 'refused'],
    ['a group', withSpan({ number: 20, wire: WireType.StartGroup, content: hex('a401') }), 'refused'],
    [
      'a number of eleven bytes',
      withSpan({ number: 6, wire: WireType.Varint, content: hex('ffffffffffffffffffff01') }),
      'refused',
    ],
    ['a tag of more than 32 bits', Buffer.concat([GOOD, hex('ffffffff1f00')]), 'refused'],
    ['a length of 4 GB', Buffer.concat([GOOD, hex('0affffffff0f')]), 'refused'],
  ];
  for (const [name, body, outcome] of cases) assert.equal(compare(body, TENANT), outcome, name);
});

const EXAMPLES = sharedData('observability/otlp');

test('an example of the protocol, as protobuf', { skip: !EXAMPLES }, () => {
  const json = readFileSync(join(EXAMPLES as string, 'trace.json'));
  const body = toBinary(ExportTraceServiceRequestSchema, decodeExport('traces', 'json', json));
  assert.equal(compare(body, TENANT), 'read');
  assert.equal(firstOf(body, TENANT)?.name, "I'm a server span");
});

test('a span with very many attributes, a long text, and refused spans', () => {
  const many = Array.from({ length: 50_000 }, (_, index) => pair(`key-${index}`, text('x')));
  const long = 'line\n'.repeat(20_000);
  const bodies: Span[] = [
    { attributes: many },
    { name: long, attributes: [pair(long, text(long))], status: { message: long } },
    { name: 'a', traceId: new Uint8Array(16) },
    { name: 'b', spanId: new Uint8Array(7).fill(1) },
    { name: 'c', endTimeUnixNano: 2n ** 63n },
  ];
  for (const span of bodies) assert.equal(compare(exportOf(span), TENANT), 'read', span.name?.slice(0, 9));
  const spans = bodies.slice(2).map((span) => ({ traceId: new Uint8Array(16).fill(1), ...span }));
  const result = readSpans(encodeExport([{ scopeSpans: [{ spans }] }]), TENANT, NOW);
  assert.equal(result?.rejected, 3);
  assert.equal(result?.reason, 'span "a": trace_id must be 16 bytes, not all zero');
  assert.deepEqual(result?.rows.resources, [], 'a resource without rows');
});

test('a body is read within its own bytes, also where it is part of a larger buffer', () => {
  const body = exportOf({
    name: 'ab',
    startTimeUnixNano: NOW,
    attributes: [pair('a', { value: { case: 'doubleValue', value: 0.1 } })],
  });
  const larger = Buffer.concat([Buffer.alloc(5, 0xff), body, Buffer.alloc(64)]);
  assert.deepEqual(readSpans(larger.subarray(5, 5 + body.length), TENANT, NOW), readSpans(body, TENANT, NOW));
  for (let length = 0; length < body.length; length += 1) compare(larger.subarray(5, 5 + length), TENANT);
});
