import type { AnyValue, KeyValue } from './generated/otlp_pb.ts';

/** An attribute as JSON holds it: 64-bit integers beyond ±(2⁵³−1) and non-finite numbers are text, bytes base64. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export function jsonOf(value: AnyValue | undefined): Json {
  const held = value?.value;
  switch (held?.case) {
    case 'stringValue':
    case 'boolValue':
      return held.value;
    case 'intValue':
      return integer(held.value);
    case 'doubleValue':
      return Number.isFinite(held.value) ? held.value : String(held.value);
    case 'bytesValue':
      return Buffer.from(held.value).toString('base64');
    case 'arrayValue':
      return held.value.values.map(jsonOf);
    case 'kvlistValue':
      return attributesOf(held.value.values);
    default:
      return null;
  }
}

export function integer(value: bigint): Json {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** Without a prototype, so that a key `__proto__` is a key like any other. */
export function attributesOf(pairs: readonly KeyValue[]): { [key: string]: Json } {
  const attributes: { [key: string]: Json } = Object.create(null);
  for (const pair of pairs) attributes[pair.key] = jsonOf(pair.value);
  return attributes;
}

/** The text of an attribute that was promoted to a column. */
export function textOf(value: Json | undefined): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
