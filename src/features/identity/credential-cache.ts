import type { Principal } from '#contract/principal.ts';
import type { Clock } from '#kernel/clock.ts';

export interface Credential {
  principal: Principal;
  /** Null: until it is revoked. */
  expires_at: Date | null;
}

/**
 * How long a process may go on believing what it read of a credential. What another process
 * revokes ends here within this time; what this one revokes ends at once.
 */
export const CREDENTIAL_TTL_MS = 5_000;
const CAPACITY = 10_000;

export interface CredentialCache {
  /** What is known and fresh, at once. */
  peek(key: string): Credential | undefined;
  get(key: string, load: () => Promise<Credential | null>): Promise<Credential | null>;
  /** Forgets one credential, or all of a user's. To be called after the commit of what revoked it. */
  forget(match: { credential_id?: string; user_id?: string }): void;
}

interface Entry {
  credential: Credential;
  fresh_until: number;
}

/**
 * Keyed by a digest of the token, never the token. Requests that arrive together share one load; a
 * load that began before a `forget` answers its own callers and is not kept, or it could bring back
 * what was revoked while it ran. Refusals are not kept: they are cheap and come from strangers.
 */
export function createCredentialCache(clock: Clock): CredentialCache {
  const entries = new Map<string, Entry>();
  const loading = new Map<string, Promise<Credential | null>>();
  let epoch = 0;

  const keep = (key: string, credential: Credential): void => {
    entries.delete(key);
    if (entries.size >= CAPACITY) {
      const oldest = entries.keys().next();
      if (!oldest.done) entries.delete(oldest.value);
    }
    entries.set(key, { credential, fresh_until: clock.monotonic() + CREDENTIAL_TTL_MS });
  };

  const fetch = async (key: string, load: () => Promise<Credential | null>): Promise<Credential | null> => {
    const began = epoch;
    const credential = await load();
    if (credential && began === epoch) keep(key, credential);
    else if (began === epoch) entries.delete(key);
    return credential;
  };

  return {
    peek(key) {
      const entry = entries.get(key);
      if (!entry || entry.fresh_until <= clock.monotonic()) return undefined;
      return unlessExpired(entry.credential, clock.now()) ?? undefined;
    },
    async get(key, load) {
      const entry = entries.get(key);
      if (entry && entry.fresh_until > clock.monotonic()) return unlessExpired(entry.credential, clock.now());
      let shared = loading.get(key);
      if (!shared) {
        const mine = fetch(key, load).finally(() => {
          if (loading.get(key) === mine) loading.delete(key);
        });
        loading.set(key, mine);
        shared = mine;
      }
      return unlessExpired(await shared, clock.now());
    },
    forget({ credential_id, user_id }) {
      epoch += 1;
      loading.clear();
      for (const [key, { credential }] of entries) {
        const { principal } = credential;
        if (principal.credential_id === credential_id || principal.user_id === user_id) entries.delete(key);
      }
    },
  };
}

function unlessExpired(credential: Credential | null, now: Date): Credential | null {
  if (!credential?.expires_at) return credential;
  return credential.expires_at.getTime() > now.getTime() ? credential : null;
}
