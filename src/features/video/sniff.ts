import { open } from 'node:fs/promises';
import { fail } from '#kernel/errors.ts';

/** Enough for every beginning below. */
const LOOKED_AT = 1024;
const PLAYLISTS = /^(#EXTM3U|#EXT-X-|ffconcat\b|\[playlist\]|<\?wpl|<(?:asx|smil|MPD)\b)/i;
const XML_PLAYLIST = /<(?:MPD|smil|asx|playlist)\b/i;

/**
 * What is plainly no video is refused before any program opens it.
 * @throws empty_file, playlist_refused, not_a_video
 */
export async function sniffVideo(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOOKED_AT), 0, LOOKED_AT, 0);
    judgeBeginning(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** @throws empty_file, playlist_refused, not_a_video */
export function judgeBeginning(bytes: Buffer): void {
  if (bytes.length === 0) throw fail('empty_file', 'The file is empty.');
  const text = bytes.toString('utf8').replace(/^\ufeff?\s*/, '');
  if (PLAYLISTS.test(text) || (text.startsWith('<') && XML_PLAYLIST.test(text))) {
    throw fail('playlist_refused', 'The file is a playlist: it only names other files, which are not fetched.', {
      hint: 'Give the URL of the video itself.',
    });
  }
  const hex = bytes.subarray(0, 16).toString('hex');
  const known = TEXTS.find(({ begins }) => begins.test(text)) ?? BYTES.find(({ begins }) => begins.test(hex));
  if (known) throw fail('not_a_video', `The file is ${known.name}, not a video.`);
}

/** Texts by how they begin; the rest by their first bytes, in hexadecimal. */
const TEXTS: readonly { begins: RegExp; name: string }[] = [
  { begins: /^<(?:!doctype html|html)/i, name: 'a web page' },
  { begins: /^<\?xml/i, name: 'an XML document' },
  { begins: /^[{[]\s*["{[]/, name: 'JSON' },
];
const BYTES: readonly { begins: RegExp; name: string }[] = [
  { begins: /^89504e47/, name: 'a PNG image' },
  { begins: /^ffd8ff/, name: 'a JPEG image' },
  { begins: /^47494638/, name: 'a GIF image' },
  { begins: /^52494646.{8}57454250/, name: 'a WebP image' },
  { begins: /^52494646.{8}57415645/, name: 'a WAV sound' },
  { begins: /^25504446/, name: 'a PDF document' },
  { begins: /^504b0304/, name: 'a ZIP archive' },
  { begins: /^1f8b/, name: 'compressed by gzip' },
  { begins: /^494433/, name: 'an MP3 sound' },
];
