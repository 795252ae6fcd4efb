import { createHash } from 'node:crypto';
import { isUuid } from '#kernel/ids.ts';
import { attributesOf, type Json, textOf } from './attributes.ts';
import type { InstrumentationScope, Resource } from './generated/otlp_pb.ts';

/** Who sent an export: a workspace's token, or one of Caudal's own processes. */
export type Sender = { kind: 'workspace'; workspace_id: string } | { kind: 'internal' };

export const WORKSPACE = 'caudal.workspace';

/** The resource that sent a group of items, as its columns. */
export interface ResourceColumns {
  system: string;
  service: string;
  instance: string | null;
  resource_id: string;
  attrs: string;
  dropped: number | null;
  /** The entities that the resource describes, as JSON. */
  entities: string | null;
  schema_url: string | null;
}

/** What every row of one resource and scope shares. */
export interface Origin extends ResourceColumns {
  scope: string | null;
  /** The scope's version, attributes and schema, as JSON. */
  scope_attrs: string | null;
  received_ns: bigint;
  /** Whose a row is whose attribute `caudal.workspace` says this. */
  ownerOf(said: Json | undefined): string | null;
  /** Whose a row with these attributes is, which is noted; the answer also replaces what the attributes say. */
  claim(attributes: { [key: string]: Json }): string | null;
}

/** A row, or why there is none. */
export type Item<R> = { row: R } | { refused: string };

export function resourceColumns(resource: Resource | undefined, schemaUrl: string, sender: Sender): ResourceColumns {
  const attributes = attributesOf(resource?.attributes ?? []);
  if (sender.kind === 'workspace') delete attributes[WORKSPACE];
  const attrs = JSON.stringify(attributes);
  return {
    system: textOf(attributes['service.namespace']) ?? 'default',
    service: textOf(attributes['service.name']) ?? 'unknown_service',
    instance: textOf(attributes['service.instance.id']),
    resource_id: createHash('sha256').update(attrs).digest('hex').slice(0, 16),
    attrs,
    dropped: resource?.droppedAttributesCount || null,
    entities: entitiesOf(resource),
    schema_url: schemaUrl || null,
  };
}

function entitiesOf(resource: Resource | undefined): string | null {
  const entities = resource?.entityRefs ?? [];
  if (entities.length === 0) return null;
  return JSON.stringify(
    entities.map(({ schemaUrl: schema_url, type, idKeys: id_keys, descriptionKeys: description_keys }) => ({
      ...{ schema_url, type, id_keys, description_keys },
    })),
  );
}

/** What a scope says besides its name; null when that is nothing. */
function scopeDetails(scope: InstrumentationScope | undefined, schemaUrl: string): string | null {
  const attributes = attributesOf(scope?.attributes ?? []);
  const details = {
    ...(scope?.version ? { version: scope.version } : {}),
    ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
    ...(scope?.droppedAttributesCount ? { dropped: scope.droppedAttributesCount } : {}),
    ...(schemaUrl ? { schema_url: schemaUrl } : {}),
  };
  return Object.keys(details).length > 0 ? JSON.stringify(details) : null;
}

/**
 * The workspace of a row is that of the sender's token, whatever its attributes say; for Caudal's own processes
 * it is what `caudal.workspace` says, or nobody's but the operator's.
 *
 * @param claimed collects the workspaces that own rows of this resource.
 */
export function originOf(
  columns: ResourceColumns,
  scope: InstrumentationScope | undefined,
  schemaUrl: string,
  sender: Sender,
  receivedNs: bigint,
  claimed: Set<string | null>,
): Origin {
  const ownerOf = (said: Json | undefined): string | null => {
    if (sender.kind === 'workspace') return sender.workspace_id;
    return typeof said === 'string' && isUuid(said) ? said.toLowerCase() : null;
  };
  return {
    ...columns,
    scope: scope?.name || null,
    scope_attrs: scopeDetails(scope, schemaUrl),
    received_ns: receivedNs,
    ownerOf,
    claim(attributes) {
      const workspace = ownerOf(attributes[WORKSPACE]);
      if (WORKSPACE in attributes && workspace !== null) attributes[WORKSPACE] = workspace;
      claimed.add(workspace);
      return workspace;
    },
  };
}
