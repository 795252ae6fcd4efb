import type { Attributes } from '@opentelemetry/api';
import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import type { TelemetryOptions } from './options.ts';

/** Of whom telemetry is, without the process. */
export function resourceAttributes(options: TelemetryOptions, env: NodeJS.ProcessEnv): Attributes {
  return {
    'service.namespace': 'caudal',
    ...parseKeyPairsIntoRecord(env['OTEL_RESOURCE_ATTRIBUTES'] ?? ''),
    'service.name': options.service,
    'service.instance.id': options.instance,
    ...(options.version ? { 'service.version': options.version } : {}),
    ...(options.environment ? { 'deployment.environment.name': options.environment } : {}),
  };
}

/** Of this process. */
export function ownResource(options: TelemetryOptions, env: NodeJS.ProcessEnv): Attributes {
  return { ...resourceAttributes(options, env), 'process.pid': process.pid };
}
