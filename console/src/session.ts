import { useSyncExternalStore } from 'react';

/**
 * The page signs in with the HttpOnly cookie that `/auth/login` sets: no script ever holds a token.
 * What is kept here is only who it is, to draw the page.
 */
export interface Me {
  id: string;
  username: string;
  email: string;
  workspace_id: string;
  role: string;
  workspaces: { id: string; name: string; role: string }[];
}

/** `ended`: somebody was signed in, and the gateway says that this is over. */
export type Session = { status: 'unknown' } | { status: 'out'; ended: boolean } | { status: 'in'; me: Me };

let session: Session = { status: 'unknown' };
const listeners = new Set<() => void>();

export function setSession(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

export function endSession(): void {
  if (session.status === 'out') return;
  setSession({ status: 'out', ended: session.status === 'in' });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, () => session);
}
