/** How long what took a lost process's place must live before the incident is over; doubled for each further death. */
const LIVED_MS = 5_000;
const LONGEST_MS = 600_000;

export interface Loss {
  replaced_at: string | null;
}

/**
 * Whether a process that was lost is back for good. One that dies again and again would otherwise be told as down and
 * recovered each time. Without any death in sight (a day old, forgotten) there is nothing to wait for.
 * @param deaths of the last hour, newest first
 */
export function settledAt(deaths: readonly Loss[], now: Date): boolean {
  const [newest] = deaths;
  if (!newest) return true;
  if (newest.replaced_at === null) return false;
  const needed = Math.min(LIVED_MS * 2 ** (deaths.length - 1), LONGEST_MS);
  return now.getTime() - Date.parse(newest.replaced_at) >= needed;
}
