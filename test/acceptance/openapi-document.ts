import type { DocumentedAccess } from '#platform/http/openapi.ts';
import type { Schema } from '../../src/cli/postman/sample.ts';

interface Content {
  content?: Record<string, { schema?: Schema }>;
}

export interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; schema?: Schema }[];
  requestBody?: Content;
  responses?: Record<string, Content & { $ref?: string; description?: string }>;
  'x-caudal-access'?: DocumentedAccess;
}

/** As much of an OpenAPI 3.1 document as the tests read. */
export interface OpenApi {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, Content>; securitySchemes: object };
}

export interface Call {
  method: string;
  path: string;
  operation: Operation;
}

export function callsOf(document: OpenApi): Call[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}
