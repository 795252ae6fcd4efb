import { type Command, EXIT } from '../command.ts';
import { listTraces } from './trace.ts';

export const command: Command = {
  usage: 'traces [--service NAME] [--operation NAME] [--error] [--slower MS] [--attribute NAME=VALUE]… [--since TIME]',
  description: 'Traces with a span to which all of that applies, newest first. `caudal trace ID` shows one.',
  examples: [
    ['caudal traces --error', 'what failed lately'],
    ['caudal traces --service caudal-api --slower 500', 'what took more than half a second'],
    ['caudal traces --attribute caudal.dataset=orders --since 2026-05-04T12:00:00Z', 'what touched a dataset'],
  ],
  options: {
    system: { type: 'string', value: 'NAME', doc: 'Only of this system (service.namespace)' },
    service: { type: 'string', value: 'NAME', doc: 'A span of this service' },
    operation: { type: 'string', value: 'NAME', doc: 'A span of this name' },
    error: { type: 'boolean', doc: 'A span that failed' },
    slower: { type: 'string', value: 'MS', doc: 'A span that took at least so long' },
    attribute: { type: 'string', value: 'NAME=VALUE', multiple: true, doc: 'A span with this attribute' },
    since: { type: 'string', value: 'TIME', doc: 'Not before this time (RFC 3339)' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many (default 20)' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 0 },
  async run(context) {
    const { text } = context;
    const query = new URLSearchParams({ limit: text('limit') ?? '20' });
    for (const name of ['system', 'service', 'operation']) {
      const value = text(name);
      if (value !== undefined) query.set(name, value);
    }
    if (context.flag('error')) query.set('status', 'error');
    const slower = text('slower');
    if (slower !== undefined) query.set('min_duration_ms', slower);
    const since = text('since');
    if (since !== undefined) query.set('from', since);
    for (const pair of context.all('attribute')) query.append('attribute', pair);
    await listTraces(context, `telemetry/traces?${query}`);
    return EXIT.ok;
  },
};
