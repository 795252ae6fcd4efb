import { type Static, Type } from 'typebox';
import { MatcherInput, Nullable, SEVERITIES } from './policies.ts';

export const CHANNEL_KINDS = ['email', 'webhook', 'pagerduty'] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

const EmailAddress = Type.String({ pattern: '^[^\\s@<>,;]+@[^\\s@<>,;]+$', maxLength: 254 });

export const EmailConfig = Type.Object(
  {
    to: Type.Array(EmailAddress, { maxItems: 20, description: 'None: the owners of the workspace, or the operators' }),
    language: Type.Optional(Type.Enum(['en', 'es'], { default: 'en' })),
  },
  { additionalProperties: false },
);
export const WebhookConfig = Type.Object(
  { url: Type.String({ maxLength: 2000, pattern: '^https?://' }) },
  { additionalProperties: false },
);
export const PagerDutyConfig = Type.Object(
  {
    url: Type.Optional(Type.String({ maxLength: 2000, pattern: '^https?://', description: 'For the EU, or a proxy' })),
  },
  { additionalProperties: false },
);

const shared = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  severities: Type.Optional(
    Type.Array(Type.Enum(SEVERITIES), { minItems: 1, description: 'Default: page and ticket' }),
  ),
  escalation: Type.Optional(Type.Boolean({ description: 'Hears of an incident only once it escalates' })),
  enabled: Type.Optional(Type.Boolean({ default: true })),
};
const scope = Type.Optional(Type.Enum(['workspace', 'installation']));
const kind = <K extends ChannelKind>(name: K) => Type.Literal(name);

export const ChannelInput = Type.Union([
  Type.Object({ ...shared, scope, kind: kind('email'), email: EmailConfig }, { additionalProperties: false }),
  Type.Object({ ...shared, scope, kind: kind('webhook'), webhook: WebhookConfig }, { additionalProperties: false }),
  Type.Object(
    {
      ...shared,
      scope,
      kind: kind('pagerduty'),
      pagerduty: Type.Optional(PagerDutyConfig),
      routing_key: Type.String({ minLength: 8, maxLength: 100, description: 'Kept, never answered' }),
    },
    { additionalProperties: false },
  ),
]);
export type ChannelInput = Static<typeof ChannelInput>;

export const ChannelPatch = Type.Partial(
  Type.Object({
    ...shared,
    email: EmailConfig,
    webhook: WebhookConfig,
    pagerduty: PagerDutyConfig,
    routing_key: Type.String({ minLength: 8, maxLength: 100 }),
  }),
  { additionalProperties: false },
);
export type ChannelPatch = Static<typeof ChannelPatch>;

export const Channel = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scope: Type.Enum(['workspace', 'installation']),
  kind: Type.Enum(CHANNEL_KINDS),
  email: Type.Optional(EmailConfig),
  webhook: Type.Optional(WebhookConfig),
  pagerduty: Type.Optional(PagerDutyConfig),
  severities: Type.Array(Type.String()),
  escalation: Type.Boolean(),
  enabled: Type.Boolean(),
  last_sent_at: Nullable(Type.String()),
  last_error: Nullable(Type.String()),
  created_at: Type.String(),
});
export type Channel = Static<typeof Channel>;

export const SilenceInput = Type.Object(
  {
    matchers: Type.Array(MatcherInput, {
      minItems: 1,
      maxItems: 20,
      description: 'Over the labels of an incident, and `policy` and `severity`; all must fit',
    }),
    comment: Type.String({ minLength: 1, maxLength: 1000 }),
    starts_at: Type.Optional(Type.String({ format: 'date-time' })),
    ends_at: Type.String({ format: 'date-time' }),
    scope,
  },
  { additionalProperties: false },
);
export type SilenceInput = Static<typeof SilenceInput>;

export const Silence = Type.Object({
  id: Type.String(),
  scope: Type.Enum(['workspace', 'installation']),
  matchers: Type.Array(Type.Object({ label: Type.String(), op: Type.String(), value: Type.String() })),
  comment: Type.String(),
  state: Type.Enum(['pending', 'active', 'expired']),
  starts_at: Type.String(),
  ends_at: Type.String(),
  created_by: Type.String(),
});
export type Silence = Static<typeof Silence>;
