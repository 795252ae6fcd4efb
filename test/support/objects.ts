import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fail } from '#kernel/errors.ts';
import type { ObjectInfo, ObjectStore } from '#platform/objects/store.ts';

/** The part of an object store that the lake needs, over a directory. */
export type LakeObjects = Pick<ObjectStore, 'local' | 'put' | 'putFile' | 'read' | 'delete' | 'list'>;

export function directoryObjects(root: string): LakeObjects & { keys(prefix?: string): Promise<string[]> } {
  const info = async (key: string): Promise<ObjectInfo> => {
    const { size, mtime } = await stat(join(root, key));
    return { key, size, etag: `"${size}"`, modified_at: mtime };
  };
  const list = async function* (prefix: string): AsyncGenerator<ObjectInfo> {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const key = relative(root, join(entry.parentPath, entry.name));
      if (entry.isFile() && key.startsWith(prefix)) yield info(key);
    }
  };
  return {
    list,
    async local(key) {
      const path = join(root, key);
      const found = await stat(path).catch(() => undefined);
      if (!found) throw fail('object_not_found', `There is no object ${key}.`);
      return { path, size: found.size, release: async () => undefined };
    },
    async putFile(key, path) {
      const target = join(root, key);
      await mkdir(dirname(target), { recursive: true });
      await rename(path, target).catch(() => copyFile(path, target));
      return info(key);
    },
    async put(key, body) {
      const target = join(root, key);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, body);
      return info(key);
    },
    read: async (key) => createReadStream(join(root, key)),
    delete: (key) => rm(join(root, key), { force: true }),
    async keys(prefix = '') {
      const keys: string[] = [];
      for await (const { key } of list(prefix)) keys.push(key);
      return keys.sort();
    },
  };
}
