import { readFile } from 'node:fs/promises';
import { type Client, segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { chosenFormat, deliver, FORMAT_OPTIONS } from '../formats.ts';
import { instant, type List, type RowsAnswer, showFacts, showRows } from '../show.ts';
import { cell, textTable } from '../text-table.ts';

interface Parameter {
  name: string;
  type: string;
  required?: boolean;
  default?: unknown;
}

interface Endpoint {
  name: string;
  version: number;
  public: boolean;
  author: string;
  created_at: string;
  description?: string;
  url: string;
  parameters: Parameter[];
  query?: string;
}

export const command: Command = {
  usage: 'endpoints [list | show NAME | create NAME QUERY | call NAME [PARAMETER=VALUE…] | delete NAME]',
  description:
    'A saved query that others read by HTTP, with a token of the scope endpoints:read:NAME or, if it is public, without one.\n' +
    'A parameter is NAME:TYPE for one that must be given or NAME:TYPE=DEFAULT; types are text, integer, number, boolean, date,\n' +
    'timestamp and uuid. To create one that is there makes its next version.',
  examples: [
    ['caudal endpoints', 'all of them'],
    [
      "caudal endpoints create seats 'SELECT * FROM passengers WHERE flight_id = $flight' --param flight:integer",
      'publish',
    ],
    ['caudal endpoints create passengers @passengers.sql --orient columns --public', 'from a file, for anybody'],
    ['caudal endpoints call seats flight=7 -o seats.csv', 'read it; json, ndjson, parquet, xlsx as well'],
    ['caudal endpoints show seats', 'its query, parameters and URL'],
  ],
  options: {
    param: { type: 'string', short: 'p', multiple: true, value: 'NAME:TYPE[=DEFAULT]', doc: '$NAME in the query' },
    description: { type: 'string', value: 'TEXT', doc: 'For those who call it' },
    public: { type: 'boolean', doc: 'Anybody may read it, rate-limited' },
    orient: { type: 'string', value: 'HOW', doc: 'rows (default) or columns' },
    'max-rows': { type: 'string', value: 'N', doc: 'An answer has at most so many rows' },
    'per-second': { type: 'string', value: 'N', doc: 'Calls a second, per process' },
    ...FORMAT_OPTIONS,
  },
  arguments: { min: 0, max: 20 },
  traced: true,
  async run(context) {
    const [action = 'list', name, ...rest] = context.args;
    if (action === 'list' && name === undefined) return list(context);
    const act = ACTIONS[action];
    if (!act || name === undefined) throw new UsageError('What about endpoints?', `Usage: caudal ${command.usage}`);
    return act(context, await context.client(), name, rest);
  },
};

type Action = (context: Context, client: Client, name: string, rest: string[]) => Promise<number>;

const ACTIONS: Record<string, Action> = {
  show,
  create,
  call,
  async delete({ terminal }, client, name) {
    await client.delete(`endpoints/${segment(name)}`);
    terminal.note(`deleted: ${name}`);
    return EXIT.ok;
  },
};

async function list(context: Context): Promise<number> {
  const { terminal } = context;
  const answer = await (await context.client()).get<List<Endpoint>>('endpoints');
  if (context.flag('json')) {
    terminal.json(answer);
    return EXIT.ok;
  }
  const rows = answer.items.map((endpoint) => [
    ...[endpoint.name, String(endpoint.version), endpoint.public ? 'anybody' : 'token'],
    ...[endpoint.parameters.map(({ name }) => name).join(', '), instant(endpoint.created_at)],
    endpoint.description ?? '',
  ]);
  const titles = ['name', 'version', 'read by', 'parameters', 'published (UTC)', 'description'];
  terminal.line(
    textTable(
      terminal,
      titles.map((title) => ({ name: title })),
      rows,
    ),
  );
  return EXIT.ok;
}

async function show(context: Context, client: Client, name: string): Promise<number> {
  const { items } = await client.get<List<Endpoint>>('endpoints');
  const found = items.find((endpoint) => endpoint.name === name);
  if (!found) {
    context.terminal.note(`There is no endpoint "${name}".`);
    return EXIT.failed;
  }
  describe(context, client, found);
  return EXIT.ok;
}

function describe({ terminal, flag }: Context, client: Client, endpoint: Endpoint): void {
  if (flag('json')) {
    terminal.json(endpoint);
    return;
  }
  const { name, version, author, created_at, description, parameters, query } = endpoint;
  showFacts(terminal, [
    ['name', name],
    ['url', `${client.url}${endpoint.url}`],
    ['version', version],
    ['read by', endpoint.public ? 'anybody' : `tokens with endpoints:read:${name}`],
    ['author', author],
    ['published', instant(created_at)],
    ['description', description && cell(description)],
    ['parameters', parameters.map(parameterText).join(', ')],
    ['query', query && cell(query)],
  ]);
}

function parameterText({ name, type, required, default: initial }: Parameter): string {
  return `${name}:${type}${initial === undefined ? '' : `=${cell(initial)}`}${required ? ' (required)' : ''}`;
}

async function create(context: Context, client: Client, name: string, rest: string[]): Promise<number> {
  const [given] = rest;
  if (given === undefined || rest.length > 1) {
    throw new UsageError('Which query?', "caudal endpoints create NAME 'SELECT …', or @FILE");
  }
  const limits = { rows: whole(context, 'max-rows'), per_second: whole(context, 'per-second') };
  const parameters = context.all('param').map(parameterOf);
  const body = {
    query: given.startsWith('@') ? await readFile(given.slice(1), 'utf8') : given,
    description: context.text('description'),
    orient: context.text('orient'),
    ...(context.flag('public') ? { public: true } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(limits.rows || limits.per_second ? { limits } : {}),
  };
  const answer = await client.call(`endpoints/${segment(name)}`, { method: 'PUT', body });
  describe(context, client, (await answer.json()) as Endpoint);
  return EXIT.ok;
}

const PARAMETER = /^([A-Za-z_]\w*):([a-z]+)(?:=(.*))?$/s;

/** `city:text=Bogotá`. */
function parameterOf(text: string): Parameter {
  const [, name = '', type = '', initial] = PARAMETER.exec(text) ?? [];
  if (name === '') throw new UsageError(`"${text}" is no parameter.`, 'Such as city:text or flight:integer=7');
  if (initial === undefined) return { name, type, required: true };
  const typed = type === 'integer' || type === 'number' ? Number(initial) : initial;
  return { name, type, default: type === 'boolean' ? initial === 'true' : typed };
}

function whole(context: Context, option: string): number | undefined {
  const written = context.text(option);
  if (written === undefined) return undefined;
  const value = Number(written);
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`--${option} must be a whole number above 0.`);
  return value;
}

async function call(context: Context, client: Client, name: string, rest: string[]): Promise<number> {
  const { terminal } = context;
  const format = chosenFormat(context);
  const query = Object.fromEntries(rest.map(argumentOf));
  const orient = context.text('orient');
  if (format !== 'table' && (format !== 'json' || context.text('output'))) {
    const path = `endpoints/${segment(name)}.${format}`;
    await deliver(context, await client.call(path, { query: { ...query, orient }, headers: { accept: '*/*' } }));
    return EXIT.ok;
  }
  // A table is made of rows, however the endpoint answers by itself.
  const shape = format === 'table' ? 'rows' : orient;
  const answer = await client.get<RowsAnswer>(`endpoints/${segment(name)}`, { ...query, orient: shape });
  if (format === 'json') terminal.json(answer);
  else showRows(terminal, answer);
  return EXIT.ok;
}

function argumentOf(text: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is no PARAMETER=VALUE.`, 'Such as city=Bogotá');
  return [text.slice(0, at), text.slice(at + 1)];
}
