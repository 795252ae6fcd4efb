import { createHmac, timingSafeEqual } from 'node:crypto';
import { fail } from '#kernel/errors.ts';

/** What a signed part URL allows: this part of this upload, exactly these bytes, until then. */
export interface PartGrant {
  upload_id: string;
  part_number: number;
  /** Where the part starts in the object. */
  offset: number;
  length: number;
  /** Unix seconds. */
  expires: number;
}

/** What a signed download URL allows; HEAD is allowed wherever GET is. */
export interface DownloadGrant {
  key: string;
  filename: string;
  content_type: string;
  disposition: 'attachment' | 'inline';
  expires: number;
}

export type Grant = ({ method: 'PUT' } & PartGrant) | ({ method: 'GET' } & DownloadGrant);

/** JSON of a fixed-order array: no two grants share one text, whatever characters a filename holds. */
function canonical(grant: Grant): string {
  return JSON.stringify(
    grant.method === 'PUT'
      ? [1, 'PUT', grant.upload_id, grant.part_number, grant.offset, grant.length, grant.expires]
      : [1, 'GET', grant.key, grant.filename, grant.content_type, grant.disposition, grant.expires],
  );
}

/** HMAC-SHA-256 over method, id or key, part, offset, length and expiry; base64url. */
export function signGrant(key: Buffer, grant: Grant): string {
  return createHmac('sha256', key).update(canonical(grant)).digest('base64url');
}

/**
 * The signature is looked at before the expiry, so that "expired" is only ever said of a URL that
 * was once valid. @throws signature_invalid, signature_expired
 */
export function verifyGrant(key: Buffer, grant: Grant, signature: string, now: Date): void {
  const expected = Buffer.from(signGrant(key, grant));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw fail('signature_invalid', 'This URL was not signed for this request.', {
      hint: 'Use the URL exactly as it was given, with the same method.',
    });
  }
  if (grant.expires * 1000 <= now.getTime()) {
    throw fail('signature_expired', 'This URL was valid once and has expired.', {
      hint: 'Ask for a new one: POST /uploads/{id}/urls, or GET /files/{id}/content.',
    });
  }
}
