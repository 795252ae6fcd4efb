import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { type FieldError, fail } from '#kernel/errors.ts';
import { createGate, GateFull } from '#kernel/gate.ts';

const SHORTEST = 8;
/** Longer ones only cost time; nobody types them. */
export const LONGEST_PASSWORD = 1024;

const RULES: [code: string, holds: (password: string) => boolean, message: string][] = [
  ['too_short', (p) => [...p].length >= SHORTEST, `at least ${SHORTEST} characters`],
  ['no_upper_case', (p) => /\p{Lu}/u.test(p), 'an upper-case letter'],
  ['no_lower_case', (p) => /\p{Ll}/u.test(p), 'a lower-case letter'],
  ['no_digit', (p) => /\p{Nd}/u.test(p), 'a digit'],
];

/** What is missing, one entry per rule; empty when the password will do. */
export function checkPassword(password: string, repeated: string, field = 'password'): FieldError[] {
  const typed = password.normalize('NFC');
  const weak = RULES.filter(([, holds]) => !holds(typed)).map(([code, , what]) => ({
    field,
    code,
    message: `The password needs ${what}.`,
  }));
  if (typed === repeated.normalize('NFC')) return weak;
  return [...weak, { field: `${field}_2`, code: 'mismatch', message: 'The two passwords differ.' }];
}

/**
 * Throws what is wrong with an input, all of it at once: `weak_password` when the password's
 * strength is the only fault, `invalid_input` otherwise.
 */
export function refuseFaults(faults: FieldError[]): void {
  if (faults.length === 0) return;
  const weakCodes = new Set(RULES.map(([code]) => code));
  const onlyWeak = faults.every((fault) => fault.field === 'password' && weakCodes.has(fault.code));
  throw fail(onlyWeak ? 'weak_password' : 'invalid_input', faults.map((fault) => fault.message).join(' '), {
    errors: faults,
  });
}

export interface PasswordHasher {
  /** PHC string of argon2id. @throws not_ready when too many are waiting. */
  hash(password: string): Promise<string>;
  /** Takes as long for an unknown account (`null`) as for a wrong password. */
  verify(passwordHash: string | null, password: string): Promise<boolean>;
}

/** OWASP Password Storage Cheat Sheet: argon2id, m = 19 MiB, t = 2, p = 1. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * Each hash takes 19 MiB and a thread of the pool that file reads share: so few at once, and a
 * bounded line.
 */
export async function createPasswordHasher(concurrency = 2, waiting = 200): Promise<PasswordHasher> {
  const gate = createGate(concurrency, waiting);
  const nobody = await hash(randomBytes(32).toString('base64'), COST);
  const admitted = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await gate.run(work);
    } catch (error) {
      if (!(error instanceof GateFull)) throw error;
      throw fail('not_ready', 'Too many people are signing in at this moment.', { retry_after: 2 });
    }
  };
  return {
    hash: (password) => admitted(() => hash(password.normalize('NFC'), COST)),
    verify: (passwordHash, password) =>
      admitted(async () => {
        const right = await verify(passwordHash ?? nobody, password.normalize('NFC'));
        return right && passwordHash !== null;
      }),
  };
}
