import { createHash } from 'node:crypto';
import { type FieldError, fail } from '#kernel/errors.ts';
import type { MultipartUpload, PartTag, ReceivedPart } from './store.ts';

/** Where a part lies in its object: equal parts, the last takes what is left. */
export function partSpan(
  upload: Pick<MultipartUpload, 'size' | 'part_size' | 'part_count'>,
  part: number,
): { offset: number; length: number } {
  if (!Number.isInteger(part) || part < 1 || part > upload.part_count) {
    throw new RangeError(`part ${part} of ${upload.part_count}`);
  }
  const offset = (part - 1) * upload.part_size;
  return { offset, length: Math.min(upload.part_size, upload.size - offset) };
}

const bare = (etag: string): string => etag.trim().replace(/^"|"$/g, '').toLowerCase();

/**
 * Checks that the client's list names every part once with the ETag that was recorded, and that
 * each has its full length. Names at most ten of the parts that do not. @throws upload_incomplete
 */
export function matchParts(upload: MultipartUpload, received: ReceivedPart[], given: PartTag[]): void {
  const arrived = new Map(received.map((part) => [part.part_number, part]));
  const claimed = new Map(given.map((part) => [part.part_number, part.etag]));
  const errors: FieldError[] = [];
  for (let number = 1; number <= upload.part_count && errors.length < 10; number += 1) {
    const problem = partProblem(arrived.get(number), claimed.get(number), partSpan(upload, number).length);
    if (problem) errors.push({ field: `parts.${number}`, code: problem[0], message: problem[1] });
  }
  if (given.length !== upload.part_count && errors.length === 0) {
    errors.push({
      field: 'parts',
      code: 'count',
      message: `There are ${upload.part_count} parts; the list has ${given.length}.`,
    });
  }
  if (errors.length > 0) {
    throw fail('upload_incomplete', 'Parts are missing or differ from what arrived.', {
      hint: 'GET /uploads/{id} lists what has arrived; send the parts named in errors again.',
      errors,
    });
  }
}

function partProblem(
  part: ReceivedPart | undefined,
  etag: string | undefined,
  length: number,
): [code: string, message: string] | undefined {
  if (!part) return ['missing', 'This part has not arrived.'];
  if (part.size !== length) return ['size', `This part has ${part.size} bytes instead of ${length}.`];
  if (etag === undefined) return ['not_listed', 'This part is not in the list.'];
  if (bare(etag) !== bare(part.etag)) return ['etag', 'The ETag is not that of the bytes that arrived.'];
  return undefined;
}

/** `"md5(md5s)-n"`, as S3 makes it: the MD5 over the parts' binary MD5s, and their number. */
export function multipartEtag(parts: PartTag[]): string {
  const hash = createHash('md5');
  for (const part of [...parts].sort((a, b) => a.part_number - b.part_number)) hash.update(bare(part.etag), 'hex');
  return `"${hash.digest('hex')}-${parts.length}"`;
}
