import type { IncidentState } from '#contract/incidents.ts';
import type { Reason } from './plan.ts';

/** What is known about a notification whose time has come. */
export interface Due {
  reason: Reason;
  incident: IncidentState;
  /** How the first message of this incident to this channel stands; null where there is none. */
  opened: 'waiting' | 'sent' | 'dropped' | 'failed' | null;
  /** Incidents of this policy are told even when they ended before. */
  tellBrief: boolean;
  silenced: boolean;
  inhibited: boolean;
}

export type Verdict = { do: 'send' } | { do: 'drop'; why: string } | { do: 'hold'; why: string };

/** Pure: whether it is told now, later or never. What is muted waits: when the silence ends and the incident does not, it is told. */
export function decide(due: Due): Verdict {
  if (due.reason === 'test' || due.reason === 'mail') return { do: 'send' };
  if (due.reason === 'resolved') return decideEnd(due);
  const over = due.incident === 'resolved';
  const muted = due.silenced ? 'silenced' : due.inhibited ? 'inhibited' : undefined;
  if (muted) return over ? { do: 'drop', why: muted } : { do: 'hold', why: muted };
  if (due.reason === 'opened') return over && !due.tellBrief ? { do: 'drop', why: 'brief' } : { do: 'send' };
  if (over) return { do: 'drop', why: 'resolved' };
  // Repeats and escalations are for what nobody has taken on.
  if (due.reason !== 'updated' && due.incident === 'acknowledged') return { do: 'drop', why: 'acknowledged' };
  return { do: 'send' };
}

/** An end is told to whom the beginning was told, and after it. */
function decideEnd({ opened }: Due): Verdict {
  if (opened === 'waiting') return { do: 'hold', why: 'after the first message' };
  if (opened === 'dropped' || opened === 'failed') return { do: 'drop', why: 'never told' };
  return { do: 'send' };
}
