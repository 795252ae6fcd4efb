import type { UploadEntry } from './entry.ts';

/** What survives a reload: what the server waits for, without the bytes, which the person chooses again. */
const KEPT = 'caudal.uploads';

export function recall(workspace: string): UploadEntry[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(`${KEPT}.${workspace}`) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isEntry).map((entry) => ({ ...entry, state: 'lost' })) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is UploadEntry {
  const { key, name, size, upload_id } = value as Partial<UploadEntry>;
  return [key, name, upload_id].every((each) => typeof each === 'string') && typeof size === 'number';
}

export function remember(workspace: string, entries: readonly UploadEntry[]): void {
  const open = entries.filter(({ upload_id }) => upload_id !== undefined);
  const kept = open.map(({ error: _error, ...entry }) => entry);
  try {
    localStorage.setItem(`${KEPT}.${workspace}`, JSON.stringify(kept));
  } catch {
    // A full or forbidden storage costs the resume after a reload, not the upload.
  }
}
