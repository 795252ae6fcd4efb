import type { LocalObject, ObjectStore } from '#platform/objects/store.ts';
import type { SegmentRef } from './snapshot.ts';

export interface LocalSegments {
  /** @throws when the segment was not among those opened */
  pathOf(segment: Pick<SegmentRef, 'id'>): string;
  paths: string[];
  /** The files may vanish from here on. */
  release(): Promise<void>;
}

const AT_A_TIME = 64;

/** Local files of the segments, held until released. @throws object_not_found */
export async function openSegments(
  objects: Pick<ObjectStore, 'local'>,
  segments: readonly Pick<SegmentRef, 'id' | 'object_key'>[],
): Promise<LocalSegments> {
  const opened = new Map<string, LocalObject>();
  const held: LocalObject[] = [];
  const release = async (): Promise<void> => {
    await Promise.all(held.splice(0).map((object) => object.release()));
  };
  try {
    for (let start = 0; start < segments.length; start += AT_A_TIME) {
      const batch = segments.slice(start, start + AT_A_TIME);
      const results = await Promise.allSettled(batch.map((segment) => objects.local(segment.object_key)));
      results.forEach((result, index) => {
        if (result.status !== 'fulfilled') return;
        held.push(result.value);
        opened.set((batch[index] as { id: string }).id, result.value);
      });
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    }
  } catch (error) {
    await release();
    throw error;
  }
  return {
    pathOf(segment) {
      const object = opened.get(segment.id);
      if (!object) throw new Error(`segment ${segment.id} is not open`);
      return object.path;
    },
    paths: [...opened.values()].map((object) => object.path),
    release,
  };
}
