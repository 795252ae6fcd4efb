import type { SendMail } from '#contract/mail.ts';
import type { Clock } from '#kernel/clock.ts';
import type { Db } from '#platform/db/db.ts';
import type { Authenticator } from './authenticate.ts';
import type { PasswordHasher } from './passwords.ts';
import type { IdentityGuard } from './rate-limits.ts';
import type { SigningKeys } from './signing-keys.ts';

/** What the routes of this room work with; `openIdentity` makes it. */
export interface IdentityDeps {
  db: Db;
  clock: Clock;
  publicUrl: string;
  keys: SigningKeys;
  passwords: PasswordHasher;
  guard: IdentityGuard;
  authenticator: Authenticator;
  /** Absent while no mail channel is set up. */
  sendMail?: SendMail | undefined;
}
