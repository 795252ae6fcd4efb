import { join } from 'node:path';

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._=-]{0,199}$/;

/**
 * True for what Caudal itself makes: no segment starts with a dot, so neither `..` nor the disk
 * store's own directories can be named.
 */
export function isObjectKey(key: string): boolean {
  return key.length <= 800 && key.split('/').every((segment) => SEGMENT.test(segment));
}

/** The path of an object below `root`. Keys never come from users: a bad one is a fault of ours. */
export function pathOfKey(root: string, key: string): string {
  if (!isObjectKey(key)) throw new TypeError(`not an object key: ${JSON.stringify(key.slice(0, 100))}`);
  return join(root, ...key.split('/'));
}

/** Where the bytes of an uploaded file live. */
export function fileKey(workspaceId: string, fileId: string): string {
  return `files/${workspaceId}/${fileId}`;
}
