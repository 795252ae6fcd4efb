/** As much of a JSON Schema as an example is made from. */
export interface Schema {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  allOf?: Schema[];
  minItems?: number;
  minLength?: number;
  minimum?: number;
  $ref?: string;
  description?: string;
}

/** The least that a schema accepts: every required property, and nothing else. */
export function sampleOf(schema: Schema | undefined): unknown {
  if (!schema) return null;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return sampleOf(schema.anyOf[0]);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(sampleOf));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  const make: Record<string, () => unknown> = {
    object: () =>
      Object.fromEntries((schema.required ?? []).map((name) => [name, sampleOf(schema.properties?.[name])])),
    array: () => Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items)),
    string: () => 'x'.repeat(Math.max(1, schema.minLength ?? 1)),
    integer: () => schema.minimum ?? 1,
    number: () => schema.minimum ?? 1,
    boolean: () => true,
  };
  return make[type ?? '']?.() ?? null;
}
