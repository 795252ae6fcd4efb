import { parseDuration } from '#kernel/duration.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { instant, type List, showList } from '../show.ts';
import { cell } from '../text-table.ts';

interface Token {
  id: string;
  name: string;
  token?: string;
  prefix: string;
  scopes: string[];
  expires_at: string | null;
  last_used_at: string | null;
}

export const command: Command = {
  usage: 'tokens [list | create NAME --scope SCOPE… | revoke ID]',
  description: 'The secret of a new token is shown once and kept only as a hash.',
  examples: [
    ['caudal tokens', 'all of the workspace'],
    ['caudal tokens create ci --scope files:write --scope tasks:read --expires 30d', 'a token for a pipeline'],
    ['caudal tokens revoke ID', 'end one'],
  ],
  options: {
    scope: {
      type: 'string',
      short: 's',
      multiple: true,
      value: 'SCOPE',
      doc: 'Such as datasets:read or datasets:read:reviews',
    },
    expires: { type: 'string', value: 'DURATION', doc: 'Such as 12h or 30d; never by default' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 2 },
  traced: true,
  async run(context) {
    const [action = 'list', subject] = context.args;
    if (action === 'list') return list(context);
    if (subject === undefined || !['create', 'revoke'].includes(action)) {
      throw new UsageError('What about tokens?', `Usage: caudal ${command.usage}`);
    }
    if (action === 'create') return create(context, subject);
    await (await context.client()).delete(`tokens/${segment(subject)}`);
    context.terminal.note(`revoked: ${subject}`);
    return EXIT.ok;
  },
};

async function create(context: Context, name: string): Promise<number> {
  const scopes = context.all('scope');
  if (scopes.length === 0) throw new UsageError('A token needs at least one --scope.', 'Such as --scope datasets:read');
  const expires = context.text('expires');
  const ms = expires === undefined ? undefined : parseDuration(expires);
  if (expires !== undefined && ms === undefined)
    throw new UsageError('--expires must be a duration, such as 12h or 30d.');
  const body = { name, scopes, ...(ms === undefined ? {} : { expires_in: Math.round(ms / 1000) }) };
  const token = await (await context.client()).post<Token>('tokens', body);
  if (context.flag('json')) context.terminal.json(token);
  else {
    context.terminal.line(token.token ?? '');
    context.terminal.note('This is the only time it is shown.');
  }
  return EXIT.ok;
}

async function list(context: Context): Promise<number> {
  const answer = await (await context.client()).get<List<Token>>('tokens');
  const titles = ['id', 'name', 'begins', 'scopes', 'expires', 'last used'];
  return showList(context, answer, titles, (token) => [
    ...[token.id, token.name, cell(token.prefix), token.scopes.join(' ')],
    ...[instant(token.expires_at) || 'never', instant(token.last_used_at) || 'never'],
  ]);
}
