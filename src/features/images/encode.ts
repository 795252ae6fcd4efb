import { open } from 'node:fs/promises';
import { fileTypeFromBuffer } from 'file-type';
import sharp, { type Sharp } from 'sharp';
import { IMAGE_TYPES, type ImageType } from '#contract/images.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import type { EncodedImage, EncodeRequest } from './protocol.ts';

/** file-type decides by at most this many bytes. */
const SNIFFED = 4100;

/** Every loader of libvips off (SVG, PDF, TIFF, GIF, ImageMagick, …), then the four that we take on. */
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp', 'VipsForeignLoadHeif'],
});
sharp.cache(false);
sharp.concurrency(1);

/**
 * The picture and nothing else: decoded, turned upright, written anew in sRGB, first frame only. What was beside the
 * pixels (EXIF with its place, comments, colour profiles, a second file behind the end) is not carried over.
 *
 * @throws unsupported_image, image_too_large, image_damaged
 */
export async function encodeImage(request: EncodeRequest): Promise<EncodedImage> {
  const type = await imageType(request.in_path, request.accept);
  try {
    const picture = sharp(request.in_path, { failOn: 'error', limitInputPixels: request.max_pixels, animated: false })
      .autoOrient()
      .resize({ width: request.max_side, height: request.max_side, fit: 'inside', withoutEnlargement: true });
    const [content_type, encoded] = ENCODERS[type](picture);
    const { width, height, size } = await encoded.toFile(request.out_path);
    return { content_type, width, height, bytes: size };
  } catch (error) {
    throw refusal(error, request.max_pixels);
  }
}

/** AVIF is kept as WebP: to encode 12 megapixels of AVIF takes 20 times as long. mozjpeg: 3.2 s instead of 0.24. */
const ENCODERS: Record<ImageType, (picture: Sharp) => [ImageType, Sharp]> = {
  'image/jpeg': (picture) => ['image/jpeg', picture.jpeg({ quality: 85 })],
  'image/png': (picture) => ['image/png', picture.toColourspace('srgb').png({ compressionLevel: 7 })],
  'image/webp': (picture) => ['image/webp', picture.webp({ quality: 85 })],
  'image/avif': (picture) => ['image/webp', picture.webp({ quality: 85 })],
};

const TAKEN = 'JPEG, PNG, WebP or AVIF';

/** What people send most often instead, and what to do about it. */
const OTHERS: Record<string, [name: string, hint: string]> = {
  'image/heic': ['HEIC', 'On an iPhone: Settings › Camera › Formats › Most Compatible, or share the photo as JPEG.'],
  'image/heif': ['HEIF', 'On an iPhone: Settings › Camera › Formats › Most Compatible, or share the photo as JPEG.'],
  'image/heic-sequence': ['HEIC', 'Share the photo as JPEG.'],
  'image/heif-sequence': ['HEIF', 'Share the photo as JPEG.'],
  'image/gif': ['a GIF', `Save it as ${TAKEN}.`],
  'image/tiff': ['a TIFF', `Save it as ${TAKEN}.`],
  'image/jxl': ['JPEG XL', `Save it as ${TAKEN}.`],
  'image/bmp': ['a BMP', `Save it as ${TAKEN}.`],
  'application/pdf': ['a PDF', 'Take a photo of the page, or save it as an image.'],
};

/** By content: a name or a Content-Type is only what somebody said. */
async function imageType(path: string, accept: readonly ImageType[]): Promise<ImageType> {
  const head = await firstBytes(path);
  if (head.length === 0) throw fail('image_damaged', 'The file is empty.');
  const mime = (await fileTypeFromBuffer(head))?.mime ?? '';
  const type = IMAGE_TYPES.find((known) => known === mime);
  if (type && accept.includes(type)) return type;
  if (type) {
    const names = accept.map(shortName).join(', ');
    throw fail('unsupported_image', `It is ${shortName(type)}; here only ${names} is accepted.`);
  }
  const svg = /<svg[\s>]/i.test(head.toString('latin1'));
  const [name, hint] = svg ? ['SVG', `Save it as ${TAKEN}.`] : (OTHERS[mime] ?? ['', '']);
  throw fail('unsupported_image', name ? `It is ${name}, which is not accepted.` : 'It is not an image that we know.', {
    hint: hint || `Send ${TAKEN}.`,
  });
}

function shortName(type: ImageType): string {
  return { 'image/jpeg': 'JPEG', 'image/png': 'PNG', 'image/webp': 'WebP', 'image/avif': 'AVIF' }[type];
}

async function firstBytes(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(SNIFFED), 0, SNIFFED, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function refusal(error: unknown, maxPixels: number): CaudalError {
  const message = error instanceof Error ? error.message : String(error);
  if (/exceeds pixel limit|too large|dimensions/i.test(message)) {
    const most = Math.round(maxPixels / 1e6);
    return fail('image_too_large', `The image has more than ${most} million pixels.`, {
      hint: 'Make it smaller and send it again.',
      cause: error,
    });
  }
  return fail('image_damaged', 'The image could not be decoded to its end.', {
    hint: 'Check that it opens in another program, or take the photo again.',
    cause: error,
  });
}
