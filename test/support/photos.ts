import sharp from 'sharp';

export interface PhotoOptions {
  width?: number;
  height?: number;
  /** EXIF's: 6 is a phone held upright. */
  orientation?: number;
  /** Goes into the EXIF data. */
  comment?: string;
}

/** A picture as a camera makes it, in memory: smooth colours, with EXIF where asked for. */
export function photo(
  format: 'jpeg' | 'png' | 'webp' | 'avif',
  { width = 64, height = 48, orientation, comment }: PhotoOptions = {},
): Promise<Buffer> {
  const background = { r: 30, g: 120, b: 160 };
  const picture = sharp({ create: { width, height, channels: 3, background } });
  if (comment !== undefined) picture.withExif({ IFD0: { ImageDescription: comment } });
  if (orientation !== undefined) picture.withMetadata({ orientation });
  return picture.toFormat(format).toBuffer();
}
