/** Who is calling, as every room sees it. */

export const ROLES = ['owner', 'editor', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

/** Scopes that take no suffix, and those that may name one dataset, topic or endpoint. */
export const SCOPES = [
  'files:read',
  'files:write',
  'datasets:read',
  'datasets:write',
  'events:write',
  'endpoints:read',
  'tasks:read',
  'tasks:write',
  'telemetry:read',
  'telemetry:write',
  'admin',
] as const;
export type Scope = (typeof SCOPES)[number];
const NAMEABLE: readonly Scope[] = ['datasets:read', 'datasets:write', 'events:write', 'endpoints:read'];

const VIEWER: readonly Scope[] = ['files:read', 'datasets:read', 'endpoints:read', 'tasks:read', 'telemetry:read'];
const EDITOR: readonly Scope[] = [
  ...VIEWER,
  'files:write',
  'datasets:write',
  'events:write',
  'tasks:write',
  'telemetry:write',
];

/** What a member may do when signed in with a password; a token has the scopes it was given. */
export const ROLE_SCOPES: Record<Role, readonly Scope[]> = {
  viewer: VIEWER,
  editor: EDITOR,
  owner: SCOPES,
};

export interface Principal {
  kind: 'user' | 'token';
  user_id: string;
  username: string;
  workspace_id: string;
  role: Role;
  /** As stored: may hold named scopes such as `datasets:read:titanic`. */
  scopes: readonly string[];
  /** The installation's operator sees what belongs to no workspace. */
  operator: boolean;
  /** `api_tokens.id` or the session's id (`jti`). */
  credential_id: string;
}

/** True when `scopes` allow `needed`, for the dataset (topic, endpoint) `name` if one is given. */
export function allows(scopes: readonly string[], needed: Scope, name?: string): boolean {
  return scopes.some(
    (scope) => scope === 'admin' || scope === needed || (name !== undefined && scope === `${needed}:${name}`),
  );
}

/** True when some name under `needed` is allowed (a list is then filtered by name). */
export function allowsSome(scopes: readonly string[], needed: Scope): boolean {
  return scopes.some((scope) => scope === 'admin' || scope === needed || scope.startsWith(`${needed}:`));
}

export function isScope(text: string): boolean {
  if ((SCOPES as readonly string[]).includes(text)) return true;
  return NAMEABLE.some((scope) => text.startsWith(`${scope}:`) && text.length > scope.length + 1);
}
