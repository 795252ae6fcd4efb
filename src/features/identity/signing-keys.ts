import {
  type CryptoKey,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { Clock } from '#kernel/clock.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, first, sql, transaction } from '#platform/db/db.ts';

/** Ed25519: the public half could one day be published, and no verifier can sign. */
const ALGORITHM = 'EdDSA';
const ISSUER = 'caudal';
const SETTING = 'jwt_keys';

/** How long a sign-in lasts. */
export const SESSION_SECONDS = 86_400;
/** A key that signs no more is kept this long, so that rotation signs nobody out. */
const KEPT_AFTER_ROTATION_MS = (SESSION_SECONDS + 3600) * 1000;
/** Other processes learn of a rotation when they sign after this long, or meet an unknown key id. */
const RELOAD_TO_SIGN_MS = 60_000;
/** Made-up key ids must not become a query each. */
const RELOAD_UNKNOWN_MS = 5_000;

interface StoredKey {
  kid: string;
  jwk: JWK;
  created_at: string;
  retired_at: string | null;
}

interface Ring {
  current: { kid: string; key: CryptoKey };
  verifiers: Map<string, CryptoKey>;
  loaded_at: number;
}

export interface SessionClaims {
  user_id: string;
  session_id: string;
  /** `users.token_generation` when it was signed. */
  generation: number;
}

export interface SigningKeys {
  sign(claims: SessionClaims): Promise<{ token: string; expires_in: number; expires_at: Date }>;
  /** Null for anything that none of our keys signed, or that has expired. */
  verify(token: string): Promise<(SessionClaims & { expires_at: Date }) | null>;
}

/**
 * The keys that sign JWTs, kept in `settings` and made at first start. Several may be valid at a
 * time, told apart by `kid`; the newest signs.
 */
export async function openSigningKeys(db: Db, clock: Clock): Promise<SigningKeys> {
  await transaction(db, async (tx) => {
    await lockKeys(tx);
    if ((await storedKeys(tx)).length === 0) await storeKeys(tx, [await newKey(clock)]);
  });
  let ring = await load(db, clock);
  const loadedAgo = (): number => clock.monotonic() - ring.loaded_at;

  return {
    async sign({ user_id, session_id, generation }) {
      if (loadedAgo() > RELOAD_TO_SIGN_MS) ring = await load(db, clock);
      const issued = Math.floor(clock.now().getTime() / 1000);
      const expires = issued + SESSION_SECONDS;
      const token = await new SignJWT({ gen: generation })
        .setProtectedHeader({ alg: ALGORITHM, kid: ring.current.kid, typ: 'JWT' })
        .setIssuer(ISSUER)
        .setSubject(user_id)
        .setJti(session_id)
        .setIssuedAt(issued)
        .setExpirationTime(expires)
        .sign(ring.current.key);
      return { token, expires_in: SESSION_SECONDS, expires_at: new Date(expires * 1000) };
    },
    async verify(token) {
      const kid = keyIdOf(token);
      if (kid === undefined) return null;
      if (!ring.verifiers.has(kid) && loadedAgo() > RELOAD_UNKNOWN_MS) ring = await load(db, clock);
      const key = ring.verifiers.get(kid);
      return key ? verifyWith(key, token, clock.now()) : null;
    },
  };
}

/** Makes a new signing key; tokens of the earlier ones stay valid until they expire. @returns its id */
export function rotateSigningKey(db: Db, clock: Clock): Promise<string> {
  return transaction(db, async (tx) => {
    await lockKeys(tx);
    const key = await newKey(clock);
    const now = clock.now();
    const earlier = (await storedKeys(tx))
      .map((each) => ({ ...each, retired_at: each.retired_at ?? now.toISOString() }))
      .filter((each) => now.getTime() - Date.parse(each.retired_at) < KEPT_AFTER_ROTATION_MS);
    await storeKeys(tx, [key, ...earlier]);
    return key.kid;
  });
}

function keyIdOf(token: string): string | undefined {
  try {
    const { kid, alg } = decodeProtectedHeader(token);
    return alg === ALGORITHM ? kid : undefined;
  } catch {
    return undefined;
  }
}

async function verifyWith(key: CryptoKey, token: string, now: Date) {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      requiredClaims: ['sub', 'jti', 'exp'],
      currentDate: now,
    });
    const { sub, jti, exp, gen } = payload;
    if (!sub || !jti || !exp || typeof gen !== 'number') return null;
    return { user_id: sub, session_id: jti, generation: gen, expires_at: new Date(exp * 1000) };
  } catch {
    return null;
  }
}

async function load(db: Db, clock: Clock): Promise<Ring> {
  const stored = await storedKeys(db);
  const newest = stored[0];
  if (!newest) throw new Error('settings.jwt_keys holds no key');
  const verifiers = new Map<string, CryptoKey>();
  for (const { kid, jwk } of stored) {
    const { d: _private, ...publicJwk } = jwk;
    verifiers.set(kid, await imported(publicJwk));
  }
  return {
    current: { kid: newest.kid, key: await imported(newest.jwk) },
    verifiers,
    loaded_at: clock.monotonic(),
  };
}

async function imported(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, ALGORITHM);
  if (key instanceof Uint8Array) throw new TypeError('a signing key of ours is never symmetric');
  return key;
}

async function newKey(clock: Clock): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
  return { kid: newId(), jwk: await exportJWK(privateKey), created_at: clock.now().toISOString(), retired_at: null };
}

/** Held until the transaction ends: two processes at first start must not each make a key. */
async function lockKeys(tx: Db): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtext(${SETTING}))`.execute(tx);
}

/** Newest first. */
async function storedKeys(db: Db): Promise<StoredKey[]> {
  const row = await first(db, sql<{ value: StoredKey[] }>`SELECT value FROM settings WHERE key = ${SETTING}`);
  return row?.value ?? [];
}

async function storeKeys(tx: Db, keys: StoredKey[]): Promise<void> {
  await sql`
    INSERT INTO settings (key, value) VALUES (${SETTING}, ${JSON.stringify(keys)}::jsonb)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`.execute(tx);
}
