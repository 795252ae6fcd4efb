/**
 * Draws the logo card: `child.ts <out.png> <width> <height> [image]`. A process of its own, because the
 * image may be anybody's. Exit code 3: it is no image that is accepted.
 */
import { join } from 'node:path';
import sharp from 'sharp';

const [target = '', width = '', height = '', image] = process.argv.slice(2);
const frame = { width: Number(width), height: Number(height) };
const NOT_AN_IMAGE = 3;
const MOST_PIXELS = 40_000_000;
/** How much of the frame a mark takes. */
const SHARE = { width: 0.62, height: 0.62 };

sharp.cache(false);
sharp.concurrency(1);

const inside = (share: { width: number; height: number }) => ({
  width: Math.round(frame.width * share.width),
  height: Math.round(frame.height * share.height),
  fit: 'inside' as const,
});

/** Ours are SVG, drawn in the size that is needed. */
async function ownCard(): Promise<void> {
  const own = (name: string) => sharp(join(import.meta.dirname, name), { density: 144 });
  const mark = await own('mark.svg').resize(inside(SHARE)).png().toBuffer();
  await own('background.svg')
    .resize({ ...frame, fit: 'cover' })
    .composite([{ input: mark, gravity: 'centre' }])
    .removeAlpha()
    .png()
    .toFile(target);
}

/** Somebody's image: re-encoded, whole, in the middle of a dark card; one of the frame's own shape fills it. */
async function theirCard(path: string): Promise<void> {
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp'] });
  const open = () => sharp(path, { limitInputPixels: MOST_PIXELS, failOn: 'error' }).autoOrient();
  const { autoOrient } = await sharp(path, { limitInputPixels: MOST_PIXELS }).metadata();
  const shape = autoOrient.width / autoOrient.height / (frame.width / frame.height);
  const whole = Math.abs(shape - 1) < 0.02;
  const picture = await open()
    .resize(whole ? { ...frame, fit: 'fill' as const } : inside({ width: 0.8, height: 0.8 }))
    .png()
    .toBuffer();
  await sharp({ create: { ...frame, channels: 3, background: '#06131f' } })
    .composite([{ input: picture, gravity: 'centre' }])
    .removeAlpha()
    .png()
    .toFile(target);
}

if (image === undefined) await ownCard();
else {
  try {
    await theirCard(image);
  } catch (error) {
    process.stderr.write(`${(error as Error).message.split('\n')[0]}\n`);
    process.exitCode = NOT_AN_IMAGE;
  }
}
