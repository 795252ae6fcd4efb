import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { BAD_ENDINGS, CITIES, FAMILY_NAMES, FIRST_NAMES, PHRASES, SERVICES } from './words.ts';

export interface Sample {
  bytes: number;
  /** Good records. */
  rows: number;
  /** Records with too many or too few fields. */
  bad: number;
}

/** The same seed gives the same bytes on every machine. Source: mulberry32, T. Ettinger, public domain. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Random = () => number;

const HEADER = 'review_id,reviewed_on,service,customer,city,country,stars,amount,would_return,review\n';
const FIRST_DAY = Date.UTC(2023, 0, 1);
const DAYS = 1095;
/** Spread over the file, so that they are found by whoever reads all of it and by nobody else. */
const BAD = 7;

/**
 * Reviews of services as they come out of a real system: names, cities, dates, amounts, and a
 * text of several lines with commas, quotes and accents. A handful of records is broken.
 */
export async function writeSample(path: string, size = 31_000_000, seed = 20_260_504): Promise<Sample> {
  const random = seeded(seed);
  const file = createWriteStream(path);
  const every = Math.floor(size / (BAD + 1));
  const sample: Sample = { bytes: Buffer.byteLength(HEADER), rows: 0, bad: 0 };
  file.write(HEADER);
  while (sample.bytes < size) {
    const broken = sample.bad < BAD && sample.bytes > every * (sample.bad + 1);
    const record = broken ? brokenRecord(random, sample.rows, sample.bad) : goodRecord(random, sample.rows);
    sample[broken ? 'bad' : 'rows'] += 1;
    sample.bytes += Buffer.byteLength(record);
    if (!file.write(record)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return sample;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** A field as RFC 4180 wants it: quoted only where it must be. */
function field(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function plainFields(random: Random, number: number): string[] {
  const [city, country] = pick(random, CITIES);
  const [service, price] = pick(random, SERVICES);
  const customer = `${pick(random, FIRST_NAMES)} ${pick(random, FAMILY_NAMES)}`;
  const day = new Date(FIRST_DAY + Math.floor(random() * DAYS) * 86_400_000).toISOString().slice(0, 10);
  // Most people are content, and the discontented write.
  const stars = 1 + Math.floor(Math.sqrt(random()) * 5);
  const amount = (price * (0.6 + random())).toFixed(2);
  return [
    String(100_001 + number),
    day,
    service,
    customer,
    city,
    country,
    String(stars),
    amount,
    stars > 2 ? 'true' : 'false',
  ];
}

function goodRecord(random: Random, number: number): string {
  return `${[...plainFields(random, number).map(field), field(review(random))].join(',')}\n`;
}

/** Too many fields (a text that nobody quoted) or too few (a line that was cut off). */
function brokenRecord(random: Random, number: number, which: number): string {
  const fields = plainFields(random, number).map(field);
  if (which % 2 === 0) return `${[...fields, pick(random, BAD_ENDINGS)].join(',')}\n`;
  return `${fields.slice(0, 4).join(',')}\n`;
}

/** Three to fourteen sentences in paragraphs. */
function review(random: Random): string {
  const sentences = 3 + Math.floor(random() * 12);
  const language = pick(random, PHRASES);
  let text = pick(random, language);
  for (let index = 1; index < sentences; index += 1) {
    const roll = random();
    text += (roll < 0.18 ? '\n\n' : roll < 0.3 ? '\n' : ' ') + pick(random, language);
  }
  return text;
}
