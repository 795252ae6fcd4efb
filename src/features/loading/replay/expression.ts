import { fail } from '#kernel/errors.ts';

/** Kinds of expression that compute on one row. No subquery, window, star, parameter or default is among them. */
const CLASSES = new Set([
  'COLUMN_REF',
  'CONSTANT',
  'FUNCTION',
  'OPERATOR',
  'CASE',
  'CAST',
  'COMPARISON',
  'CONJUNCTION',
  'BETWEEN',
  'COLLATE',
  'LAMBDA',
]);

/**
 * Scalar functions that mend values: text, numbers, dates, lists, JSON. Allowed by name, so that what
 * a new engine brings stays shut. Not among them: anything that reads settings, files or the session,
 * or makes much out of little (`repeat`, `range`).
 */
const FUNCTIONS = new Set(
  `+ - * / // % ** ^ || ~~ !~~ ~~* !~~* & | ~ << >> abs array_extract array_filter array_length array_slice
   array_to_string array_transform ascii bar ceil ceiling century chr coalesce concat concat_ws contains date_add
   date_diff date_part date_sub date_trunc datediff datepart datetrunc day dayofmonth dayofweek dayofyear decade
   element_at ends_with epoch epoch_ms error even exp flatten floor format greatest hour if ifnull ilike_escape
   instr isfinite isinf isnan isodow json_array_length json_extract json_extract_path json_extract_path_text
   json_extract_string json_keys json_object json_type json_valid json_value last_day lcase least left len length
   like_escape list_aggregate list_concat list_contains list_element list_extract list_filter list_first list_last
   list_position list_reverse list_slice list_sort list_transform list_value ln log log10 log2 lower ltrim make_date
   make_time make_timestamp md5 minute mod month monthname nfc_normalize nullif ord position power prefix quarter
   regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array replace
   reverse right round row rtrim second sha256 sign split split_part sqrt starts_with str_split str_split_regex
   strftime string_split string_split_regex strip_accents strlen strpos strptime struct_extract struct_pack substr
   substring suffix to_days to_hours to_json to_minutes to_months to_seconds to_years translate trim trunc
   try_strptime ucase unicode upper week weekday weekofyear year yearweek`.split(/\s+/),
);

type Node = Record<string, unknown>;

/** The text that is parsed for the check, and later run as it stands: an expression in parentheses. */
export function wrapExpression(expression: string): string {
  return `(${expression}\n)`;
}

/**
 * Lets through one expression over one row: `tree` is json_serialize_sql of `SELECT (expression)`.
 * The first wall is the locked-down child; this is the second.
 *
 * @returns the column names it refers to
 * @throws sql_syntax, sql_refused
 */
export function inspectExpression(tree: unknown, column: string): Set<string> {
  const { error, error_message, statements } = tree as { error?: boolean; error_message?: string; statements?: Node[] };
  if (error)
    throw fail('sql_syntax', `The fix for "${column}" could not be parsed: ${error_message ?? 'unknown error'}.`);
  const node = statements?.length === 1 ? (statements[0]?.['node'] as Node | undefined) : undefined;
  const list = (node?.['select_list'] ?? []) as Node[];
  if (!node || !isBareSelect(node) || list.length !== 1) {
    throw fail('sql_refused', `The fix for "${column}" must be one SQL expression, such as trim(${column}).`);
  }
  const names = new Set<string>();
  visit(list[0], column, names);
  return names;
}

function isBareSelect(node: Node): boolean {
  const lists = ['modifiers', 'group_expressions', 'group_sets'].map((key) => node[key] as unknown[] | undefined);
  const absent = ['where_clause', 'having', 'sample', 'qualify'].every((key) => node[key] === null);
  const ctes = (node['cte_map'] as { map?: unknown[] } | undefined)?.map ?? [];
  const from = (node['from_table'] as Node | undefined)?.['type'];
  return (
    node['type'] === 'SELECT_NODE' &&
    from === 'EMPTY' &&
    absent &&
    ctes.length === 0 &&
    lists.every((l) => l?.length === 0)
  );
}

function visit(value: unknown, column: string, names: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, column, names);
    return;
  }
  if (value === null || typeof value !== 'object') return;
  const node = value as Node;
  if (typeof node['class'] === 'string') check(node, column, names);
  for (const child of Object.values(node)) visit(child, column, names);
}

function check(node: Node, column: string, names: Set<string>): void {
  const kind = String(node['class']);
  if (!CLASSES.has(kind)) {
    throw fail(
      'sql_refused',
      `The fix for "${column}" may not use ${kind.toLowerCase()}s: it works on one record at a time.`,
    );
  }
  if (kind === 'FUNCTION') {
    const name = String(node['function_name']).toLowerCase();
    const ours = ['', 'main'].includes(String(node['schema'])) && ['', 'system'].includes(String(node['catalog']));
    const plain = ours && !node['distinct'] && !node['filter'];
    if (!FUNCTIONS.has(name) || !plain) throw fail('sql_refused', `The fix for "${column}" may not call ${name}().`);
  }
  const reference = node['column_names'];
  if (Array.isArray(reference)) for (const name of reference) names.add(String(name).toLowerCase());
}
