/** DuckDB's BIGINT holds nanoseconds up to the year 2262; what claims to be later is no time. */
const LAST_NS = 2n ** 63n - 1n;

export function isTime(ns: bigint): boolean {
  return ns >= 0n && ns <= LAST_NS;
}

/** Metrics are kept in milliseconds. */
export function msOf(ns: bigint): bigint {
  return ns / 1_000_000n;
}

/** 8 or 16 bytes as hex; null when the length is wrong or all bytes are zero (invalid by the specification). */
export function idOf(bytes: Uint8Array, length: 8 | 16): string | null {
  if (bytes.length !== length || bytes.every((byte) => byte === 0)) return null;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** 1763688797123456789n → "2025-11-21T01:33:17.123456789Z" */
export function formatNs(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}

const NANOS = /^(.*:\d\d)\.(\d{1,9})\d*(Z|[+-]\d\d:?\d\d)$/i;

/** RFC 3339 with up to nine decimals → nanoseconds; null when it is not a time. */
export function parseNs(text: string): bigint | null {
  const match = NANOS.exec(text);
  const ms = Date.parse(match ? `${match[1]}${match[3]}` : text);
  if (Number.isNaN(ms)) return null;
  const fraction = match ? BigInt((match[2] ?? '').padEnd(9, '0')) : 0n;
  return BigInt(ms) * 1_000_000n + fraction;
}
