/**
 * Thrift's compact protocol, as far as Parquet's footer and page headers use it
 * (thrift/doc/specs/thrift-compact-protocol.md): structs as maps from field id to value.
 */
export type ThriftValue = number | bigint | boolean | Buffer | ThriftValue[] | ThriftStruct;
export type ThriftStruct = Map<number, ThriftValue>;

export class ThriftFault extends Error {}

const MAX_DEPTH = 32;

export interface ThriftReader {
  readonly offset: number;
  struct(): ThriftStruct;
}

/** Reads structs one after the other. @throws ThriftFault on what is no compact Thrift, RangeError past the end */
export function createThriftReader(buffer: Buffer, start = 0): ThriftReader {
  let at = start;
  let depth = 0;

  function byte(): number {
    const value = buffer[at++];
    if (value === undefined) throw new RangeError('past the end');
    return value;
  }

  function varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const next = byte();
      value |= BigInt(next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
    throw new ThriftFault('a number is too long');
  }

  function integer(): number | bigint {
    const raw = varint();
    const value = (raw >> 1n) ^ -(raw & 1n);
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  function binary(): Buffer {
    const length = Number(varint());
    if (at + length > buffer.length) throw new RangeError('past the end');
    at += length;
    return buffer.subarray(at - length, at);
  }

  function list(): ThriftValue[] {
    const header = byte();
    const size = header >> 4 === 15 ? Number(varint()) : header >> 4;
    if (size > buffer.length - at) throw new RangeError('past the end');
    const element = header & 15;
    return Array.from({ length: size }, () => (element === 1 || element === 2 ? byte() === 1 : value(element)));
  }

  const BY_TYPE: Record<number, () => ThriftValue> = {
    1: () => true,
    2: () => false,
    3: byte,
    4: integer,
    5: integer,
    6: integer,
    7: () => {
      at += 8;
      return buffer.readDoubleLE(at - 8);
    },
    8: binary,
    9: list,
    10: list,
    12: struct,
  };

  function value(type: number): ThriftValue {
    const read = BY_TYPE[type];
    if (!read) throw new ThriftFault(`there is no type ${type}`);
    return read();
  }

  function struct(): ThriftStruct {
    if (++depth > MAX_DEPTH) throw new ThriftFault('it is nested too deeply');
    const fields: ThriftStruct = new Map();
    let id = 0;
    for (let header = byte(); header !== 0; header = byte()) {
      id = header >> 4 === 0 ? Number(integer()) : id + (header >> 4);
      fields.set(id, value(header & 15));
    }
    depth--;
    return fields;
  }

  return {
    get offset() {
      return at;
    },
    struct,
  };
}

export function numberField(struct: ThriftStruct | undefined, id: number): number | undefined {
  const value = struct?.get(id);
  return typeof value === 'number' ? value : undefined;
}

export function structField(struct: ThriftStruct | undefined, id: number): ThriftStruct | undefined {
  const value = struct?.get(id);
  return value instanceof Map ? value : undefined;
}

export function structsField(struct: ThriftStruct | undefined, id: number): ThriftStruct[] {
  const value = struct?.get(id);
  return Array.isArray(value) ? value.filter((item) => item instanceof Map) : [];
}
