import type { File } from '#contract/files.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { deliver } from '../formats.ts';
import { count, instant, type List, painted, showFile } from '../show.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'files [ID] [-o FILE | --delete]',
  examples: [
    ['caudal files', 'newest first'],
    ['caudal files ID', 'what became of one: rows, account, reason of a failure'],
    ['caudal files ID -o copy.csv', 'download it'],
    ['caudal files ID --delete', 'delete it and the rows it brought'],
  ],
  options: {
    output: { type: 'string', short: 'o', value: 'FILE', doc: 'Download its content' },
    delete: { type: 'boolean', doc: 'Delete the file and its rows' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many (default 50)' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 1 },
  traced: true,
  async run(context) {
    const [id] = context.args;
    if (id === undefined) return list(context);
    const client = await context.client();
    const path = `files/${segment(id)}`;
    if (context.flag('delete')) {
      await client.delete(path);
      context.terminal.note(`deleted: ${id}`);
      return EXIT.ok;
    }
    if (context.text('output')) {
      await deliver(context, await client.call(`${path}/content`, { headers: { accept: '*/*' } }));
      return EXIT.ok;
    }
    const file = await client.get<File>(path);
    if (context.flag('json')) context.terminal.json(file);
    else showFile(context.terminal, file);
    return EXIT.ok;
  },
};

async function list(context: Context): Promise<number> {
  const { terminal } = context;
  const answer = await (await context.client()).get<List<File>>('files', { limit: context.text('limit') });
  if (context.flag('json')) {
    terminal.json(answer);
    return EXIT.ok;
  }
  const columns = [
    { name: 'id' },
    { name: 'file' },
    { name: 'state' },
    { name: 'size', align: 'right' as const },
    { name: 'dataset' },
    { name: 'rows', align: 'right' as const },
    { name: 'created (UTC)' },
    { name: 'reason' },
  ];
  const rows = answer.items.map((file) => [
    ...[file.id, file.filename, painted(terminal, file.state), formatBytes(file.size), file.dataset ?? ''],
    ...[file.rows === undefined ? '' : count(file.rows), instant(file.created_at), file.error?.message ?? ''],
  ]);
  terminal.line(textTable(terminal, columns, rows));
  return EXIT.ok;
}
