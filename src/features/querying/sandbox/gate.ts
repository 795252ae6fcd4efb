import { ALLOWED_FUNCTIONS, ALLOWED_TABLE_FUNCTIONS, VOLATILE_FUNCTIONS, VOLATILE_NAMES } from './functions.ts';

/** What a query asks for, found without running any of it. */
export interface QueryPlan {
  /** Tables that are not the query's own CTEs, each once, as written. */
  tables: TableName[];
  /** False when the answer would differ on unchanged data. */
  repeatable: boolean;
}

export interface TableName {
  /** Empty when not qualified. */
  schema: string;
  name: string;
  /** Byte offset in the query; undefined when DuckDB does not say. */
  position?: number;
}

export class Refusal extends Error {
  readonly position: number | undefined;

  constructor(message: string, position?: number) {
    super(message);
    this.name = 'Refusal';
    this.position = position;
  }
}

type Node = Record<string, unknown>;

/** Table references and query nodes that a read-only query is made of; any other kind is refused. */
const TABLE_REFERENCES = new Set([
  'BASE_TABLE',
  'SUBQUERY',
  'JOIN',
  'TABLE_FUNCTION',
  'EXPRESSION_LIST',
  'EMPTY',
  'PIVOT',
  'SHOW_REF',
]);
const QUERY_NODES = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE']);
const NO_POSITION = 2 ** 53;

/**
 * The gate: takes `json_serialize_sql`'s tree of exactly one SELECT and lets through only known kinds of
 * tables and allowed functions. It is the second wall (the first is a locked DuckDB that may open only
 * the listed segments), and it finds out which datasets are asked for.
 *
 * @throws Refusal
 */
export function inspect(tree: unknown): QueryPlan {
  const statements = (tree as { statements?: unknown }).statements;
  if (!Array.isArray(statements) || statements.length !== 1) {
    throw new Refusal('Exactly one SELECT statement is allowed.');
  }
  const found: Found = { tables: new Map(), repeatable: true };
  visit((statements[0] as Node)['node'], new Set(), found);
  return { tables: [...found.tables.values()], repeatable: found.repeatable };
}

interface Found {
  tables: Map<string, TableName>;
  repeatable: boolean;
}

function visit(value: unknown, scope: ReadonlySet<string>, found: Found): void {
  if (Array.isArray(value)) {
    for (const each of value) visit(each, scope, found);
    return;
  }
  if (value === null || typeof value !== 'object') return;
  const node = value as Node;
  if ('cte_map' in node) visitQuery(node, scope, found);
  else visitNode(node, scope, found);
}

/** A CTE is visible to those after it and to the body; a recursive one also to itself. */
function visitQuery(node: Node, outer: ReadonlySet<string>, found: Found): void {
  if (!QUERY_NODES.has(String(node['type']))) throw new Refusal(`${kindOf(node)} is not allowed.`);
  if (node['sample']) found.repeatable = false;
  const scope = new Set(outer);
  const { map } = node['cte_map'] as { map: { key: string; value: unknown }[] };
  for (const { key, value } of map) {
    visit(value, scope, found);
    scope.add(key.toLowerCase());
  }
  const own = typeof node['cte_name'] === 'string' ? new Set([...scope, node['cte_name'].toLowerCase()]) : scope;
  for (const [key, child] of Object.entries(node)) {
    if (key !== 'cte_map') visit(child, key === 'right' ? own : scope, found);
  }
}

function visitNode(node: Node, scope: ReadonlySet<string>, found: Found): void {
  if ('sample' in node) checkTableReference(node, scope, found);
  if (typeof node['function_name'] === 'string') checkFunction(node, found);
  if (Array.isArray(node['column_names']) && node['column_names'].length === 1) {
    if (VOLATILE_NAMES.has(String(node['column_names'][0]).toLowerCase())) found.repeatable = false;
  }
  for (const [key, child] of Object.entries(node)) {
    if (node['type'] === 'TABLE_FUNCTION' && key === 'function') visitTableFunction(child as Node, scope, found);
    else visit(child, scope, found);
  }
}

function checkTableReference(node: Node, scope: ReadonlySet<string>, found: Found): void {
  const type = String(node['type']);
  if (!TABLE_REFERENCES.has(type)) throw new Refusal(`${kindOf(node)} is not allowed.`, positionOf(node));
  if (node['sample'] !== null) found.repeatable = false;
  if (type === 'BASE_TABLE') addTable(node, scope, found);
  if (type === 'SHOW_REF' && node['query'] === null) {
    throw new Refusal('SHOW is not allowed: GET /datasets lists what you may query.', positionOf(node));
  }
  const pivots = type === 'PIVOT' ? (node['pivots'] as Node[]) : [];
  if (pivots.some((pivot) => pivot['pivot_enum'])) throw new Refusal('PIVOT over an enum is not allowed.');
}

function addTable(node: Node, scope: ReadonlySet<string>, found: Found): void {
  const schema = String(node['schema_name'] ?? '');
  const name = String(node['table_name'] ?? '');
  const position = positionOf(node);
  if (node['catalog_name']) throw new Refusal('Other catalogues cannot be read.', position);
  if (node['at_clause']) throw new Refusal('AT is not allowed here: use ?version= on /rows.', position);
  if (schema === '' && scope.has(name.toLowerCase())) return;
  const key = JSON.stringify([schema, name]);
  if (!found.tables.has(key)) {
    found.tables.set(key, { schema, name, ...(position === undefined ? {} : { position }) });
  }
}

function visitTableFunction(call: Node, scope: ReadonlySet<string>, found: Found): void {
  const name = String(call['function_name']).toLowerCase();
  if (!ALLOWED_TABLE_FUNCTIONS.has(name) || call['schema'] || call['catalog']) {
    throw new Refusal(`The table function ${name}() is not allowed.`, positionOf(call));
  }
  visit(call['children'], scope, found);
}

function checkFunction(node: Node, found: Found): void {
  const name = String(node['function_name']).toLowerCase();
  const schema = String(node['schema'] ?? '');
  const catalog = String(node['catalog'] ?? '');
  const known = ALLOWED_FUNCTIONS.has(name) && ['', 'main'].includes(schema) && ['', 'system'].includes(catalog);
  if (!known) throw new Refusal(`The function ${name}() is not allowed.`, positionOf(node));
  if (node['export_state'] === true) throw new Refusal('EXPORT_STATE is not allowed.', positionOf(node));
  if (VOLATILE_FUNCTIONS.has(name)) found.repeatable = false;
}

function kindOf(node: Node): string {
  return String(node['type']).toLowerCase().replaceAll('_', ' ');
}

/** DuckDB writes "nowhere" as 2⁶⁴−1, which JSON.parse rounds. */
function positionOf(node: Node): number | undefined {
  const location = node['query_location'];
  return typeof location === 'number' && location < NO_POSITION ? location : undefined;
}
