/**
 * Each workspace has a lane: its jobs' priority in pg-boss. Priorities order a queue there and may bound a fetch, both by
 * index, so a lane can be listed and drawn from without walking past what other lanes hold. Nothing is more urgent for
 * it: which lane is next is decided here. (See docs/adr/0033.)
 */
export function laneOf(workspaceId: string): number {
  // The random end of a UUIDv7, 31 bits of it. Two workspaces that meet in one share its turn.
  return Number.parseInt(workspaceId.slice(-8), 16) >>> 1;
}

/** A lane in which something waits. */
export interface Lane {
  lane: number;
  /** Tasks of it that run now, anywhere. */
  running: number;
}

export interface Draw {
  lane: number;
  take: number;
}

/**
 * Gives free slots to lanes, one by one to the lane that has the fewest running; among equals to the one that came
 * first in `lanes` (whose oldest task waits longest). A lane at `most` gets none.
 */
export function allocate(free: number, lanes: readonly Lane[], most = Number.POSITIVE_INFINITY): Draw[] {
  const counts = lanes.map(({ lane, running }) => ({ lane, running, take: 0 }));
  for (let slot = 0; slot < free; slot += 1) {
    let next: (typeof counts)[number] | undefined;
    for (const each of counts) {
      if (each.running + each.take >= most) continue;
      if (!next || each.running + each.take < next.running + next.take) next = each;
    }
    if (!next) break;
    next.take += 1;
  }
  return counts.filter(({ take }) => take > 0).map(({ lane, take }) => ({ lane, take }));
}
