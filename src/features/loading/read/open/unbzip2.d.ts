declare module 'unbzip2-stream/lib/bit_iterator.js' {
  export interface Bits {
    (count: number | null): number;
    bytesRead: number;
  }
  export default function bitIterator(nextBuffer: () => Uint8Array): Bits;
}

declare module 'unbzip2-stream/lib/bzip2.js' {
  import type { Bits } from 'unbzip2-stream/lib/bit_iterator.js';

  const bzip2: {
    Bzip2Error: new (message: string) => Error;
    header(bits: Bits): number;
    /** Null at the end of a stream; otherwise the running checksum. */
    decompress(bits: Bits, push: (byte: number) => void, block: Int32Array, size: number, crc: number): number | null;
  };
  export default bzip2;
}
