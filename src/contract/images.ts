/** What an image may be: what browsers show and libvips reads by well-tested code. */
export const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/webp', 'image/avif'] as const;
export type ImageType = (typeof IMAGE_TYPES)[number];

/** As an HTML file picker's `accept` may say it: a type, a family or a file ending. */
const ACCEPT: Record<string, readonly ImageType[]> = {
  'image/*': IMAGE_TYPES,
  'image/jpg': ['image/jpeg'],
  '.jpg': ['image/jpeg'],
  '.jpeg': ['image/jpeg'],
  '.png': ['image/png'],
  '.webp': ['image/webp'],
  '.avif': ['image/avif'],
  ...Object.fromEntries(IMAGE_TYPES.map((type) => [type, [type]])),
};

/** True for what a file column may name in `accept`. */
export function isAcceptable(entry: string): boolean {
  return Object.hasOwn(ACCEPT, entry.trim().toLowerCase());
}

/** The image types that a file column takes; all of them when it names none. */
export function acceptedImages(accept: readonly string[] | undefined): readonly ImageType[] {
  if (accept === undefined || accept.length === 0) return IMAGE_TYPES;
  const named = new Set(accept.flatMap((entry) => ACCEPT[entry.trim().toLowerCase()] ?? []));
  return IMAGE_TYPES.filter((type) => named.has(type));
}

/** The largest photo of a column that does not say (`max_bytes`). */
export const PHOTO_BYTES = 10_000_000;
