/**
 * The spans that Caudal's own processes leave and the `caudal.*` attributes that they carry: docs/telemetry.md is made
 * of these tables, and a test compares them with what a run leaves. Names in braces vary.
 */

export interface SpanEntry {
  service: string;
  kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  what: string;
}

export const SPANS: Record<string, SpanEntry> = {
  '{METHOD} {route}': {
    service: '-api',
    kind: 'server',
    what: 'A request to the gateway; without a route, the method',
  },
  '{METHOD}': { service: 'any', kind: 'client', what: 'A request that Caudal makes itself' },
  '{STATEMENT} {table}': { service: 'any', kind: 'client', what: 'A PostgreSQL statement; its text, never its values' },
  'caudal {command}': { service: '-cli', kind: 'internal', what: 'A command, to its end' },
  'upload and load': { service: '-cli, -browser', kind: 'internal', what: 'A file, from the click to its rows' },
  'part {n}': { service: '-cli, -browser', kind: 'internal', what: 'A part on its way' },
  'sign upload': { service: '-api', kind: 'internal', what: 'The trace context is stored with the upload here' },
  'sign parts': { service: '-api', kind: 'internal', what: 'More signed URLs' },
  'put part': { service: '-api', kind: 'internal', what: 'The bytes of a part, continuing the trace of the signer' },
  'complete upload': { service: '-api', kind: 'internal', what: 'Parts become an object' },
  'enqueue {kind}': { service: '-api', kind: 'producer', what: 'A task is queued, with its trace context' },
  'process {queue}': {
    service: '-worker',
    kind: 'consumer',
    what: 'A run of a task; child of and linked to who queued it',
  },
  download: { service: '-worker', kind: 'internal', what: 'A file is fetched from a URL' },
  read: { service: '-worker', kind: 'internal', what: 'A reader child sniffs and reads; its steps are below' },
  sniff: { service: '-worker', kind: 'internal', what: 'Format, dialect, header and types are found out' },
  write: { service: '-worker', kind: 'internal', what: 'Segments become durable in the object store' },
  commit: { service: '-worker', kind: 'internal', what: 'One transaction: version, source, account, task' },
  compact: { service: '-worker', kind: 'internal', what: 'Small segments become one' },
  replay: { service: '-worker', kind: 'internal', what: 'Quarantined rows are read again; linked to their load' },
  'delete file': { service: '-worker', kind: 'internal', what: 'A file and the rows that it brought go' },
  append: { service: '-api', kind: 'internal', what: 'Events become durable, with those of other requests' },
  drain: { service: '-worker', kind: 'internal', what: 'Batches of a topic become rows of a dataset' },
  'evaluate policies': { service: '-telemetry', kind: 'internal', what: 'One round of the evaluator' },
  notify: { service: '-telemetry', kind: 'internal', what: 'A message goes to a channel' },
  'deliver {topic}': { service: '-worker', kind: 'consumer', what: 'A batch goes to a webhook' },
  'submit form': { service: '-api', kind: 'internal', what: 'A form is checked and its row kept' },
  'store photo': { service: '-api', kind: 'internal', what: 'A photo becomes a file' },
  'encode image': { service: '-api', kind: 'internal', what: 'It is encoded anew, without metadata' },
  sql: { service: '-api', kind: 'internal', what: "A user's query in its sandbox" },
};

export const ATTRIBUTES: Record<string, string> = {
  'caudal.workspace': 'Whose it is; without it, the installation’s, which only the operator sees',
  'caudal.file.id': 'The file',
  'caudal.file.bytes': 'Its size',
  'caudal.file.name': 'Its name',
  'caudal.upload.id': 'The upload',
  'caudal.part.number': 'Part of an upload',
  'caudal.parts': 'How many parts',
  'caudal.bytes': 'Bytes of what is handled',
  'caudal.task.id': 'The task',
  'caudal.task.kind': 'load, replay, compact, …',
  'caudal.task.attempt': 'Which run that counts',
  'caudal.dataset': 'Name of the dataset, several with commas between',
  'caudal.dataset.id': 'Its id',
  'caudal.dataset.version': 'Its version',
  'caudal.source.id': 'What brought rows in',
  'caudal.table': 'Sheet or archive entry',
  'caudal.rows.read': 'Records read',
  'caudal.rows.accepted': 'Rows accepted',
  'caudal.rows.quarantined': 'Rows put into quarantine',
  'caudal.subscription.id': 'The subscription',
  'caudal.batches': 'Batches that were taken together',
  'caudal.offset.first': 'Offset of the first event of a batch',
  'caudal.attempt': 'Which attempt of a delivery',
  'caudal.outcome': 'What became of it',
  'caudal.policies': 'Policies that were looked at',
  'caudal.channel.kind': 'email, webhook or pagerduty',
  'caudal.notification.reason': 'Why somebody is told: opened, resolved, …',
  'caudal.segments': 'Parquet objects',
  'caudal.log.cut': 'The line of a followed log was longer than is kept',
  'caudal.error.detail': 'What the caller was told',
};
