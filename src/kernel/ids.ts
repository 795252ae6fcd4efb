import { randomFillSync } from 'node:crypto';
import { V7Generator } from 'uuidv7';

/** Random words are drawn a page at a time: by itself the generator draws anew for every few ids. */
const words = new Uint32Array(1024);
let used = words.length;
const generator = new V7Generator({
  nextUint32() {
    if (used === words.length) {
      randomFillSync(words);
      used = 0;
    }
    const word = words[used] as number;
    used += 1;
    return word;
  },
});

/** A new UUIDv7 (RFC 9562): time-ordered, so primary keys stay local in the index. */
export function newId(): string {
  return generator.generate().toString();
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True for any UUID in its usual writing; a malformed id in a path is simply "not found". */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** Epoch ms inside a UUIDv7 (its first 48 bits); 0 for other versions. */
export function timeOfId(id: string): number {
  return id.charAt(14) === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : 0;
}
