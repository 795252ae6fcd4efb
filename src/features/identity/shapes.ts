import { Type } from 'typebox';
import { ROLES, SCOPES } from '#contract/principal.ts';
import { LONGEST_PASSWORD } from './passwords.ts';

/** Shapes that several calls of this room share. */
export const Id = Type.String({ description: 'UUIDv7' });
export const Time = Type.String({ description: 'RFC 3339, UTC' });
export const OptionalTime = Type.Union([Time, Type.Null()]);
export const Role = Type.Enum(ROLES);
export const Email = Type.String({ maxLength: 1000, description: 'E-mail address; case does not matter' });
export const Password = Type.String({
  maxLength: LONGEST_PASSWORD,
  description: 'At least 8 characters with an upper-case letter, a lower-case letter and a digit',
});
export const Scopes = Type.Array(Type.String({ maxLength: 1200 }), {
  minItems: 1,
  maxItems: 100,
  description: `${SCOPES.join(', ')}; datasets:*, events:write and endpoints:read may end in :name`,
});
export const SessionAnswer = Type.Object({
  token: Type.String({ description: 'JWT, for Authorization: Bearer' }),
  expires_in: Type.Integer({ description: 'Seconds' }),
});

/** In the schema of a call that needs no token. */
export const OPEN = { security: [] as { [name: string]: string[] }[] };
