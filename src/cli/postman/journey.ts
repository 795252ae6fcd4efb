/** One request of the journey; `{name}` in a path is the collection's variable of that name. */
export interface Step {
  name: string;
  method: string;
  /** As the OpenAPI document writes it. */
  path: string;
  /** Where it differs from the path: queries, or the ways that others write it. */
  url?: string;
  /** Not an operation of the document: a signed URL. */
  outside?: boolean;
  header?: { key: string; value: string }[];
  body?: unknown;
  /** The answer's shape depends on the query: only what the step says is checked. */
  free?: boolean;
  /** The first is what usually comes. */
  status: number | number[];
  before?: string[];
  test?: string[];
}

const CSV = 'city,people\nBogotá,8034649\nMedellín,2529403\nCali,2227642\n';
const TABLE = 'cities';

const keep = (name: string, value: string): string => `pm.collectionVariables.set('${name}', ${value});`;
const check = (what: string, assertion: string): string => `pm.test('${what}', () => { ${assertion} });`;

/** Asks again while a task runs; bounded, so that a stuck one fails the run. */
const UNTIL_ENDED = [
  "const rounds = Number(pm.collectionVariables.get('rounds') || 0) + 1;",
  "const open = ['queued', 'running'].includes(pm.response.json().status) && rounds < 600;",
  "pm.collectionVariables.set('rounds', open ? rounds : 0);",
  'if (open) pm.execution.setNextRequest(pm.info.requestName);',
  "else pm.test('the task succeeded', () => { pm.expect(pm.response.json().status).to.equal('succeeded'); });",
];

/** From nothing to rows in a table and back to nothing, as a newcomer would go. */
export const JOURNEY: readonly Step[] = [
  { name: 'It is alive', method: 'GET', path: '/livez', status: 200 },
  { name: 'It is ready', method: 'GET', path: '/readyz', status: 200 },
  {
    name: 'Sign up',
    method: 'POST',
    path: '/auth/signup',
    before: [
      "const run = pm.variables.replaceIn('{{$timestamp}}{{$randomInt}}');",
      keep('username', "'postman' + run"),
      keep('email', "'postman' + run + '@example.com'"),
      keep('password', "'Postman-' + run + 'x'"),
    ],
    body: {
      username: '{{username}}',
      email: '{{email}}',
      password: '{{password}}',
      password_2: '{{password}}',
    },
    status: 201,
    test: [check('it is me', "pm.expect(pm.response.json().email).to.equal(pm.collectionVariables.get('email'));")],
  },
  {
    name: 'The same name again is refused',
    method: 'POST',
    path: '/auth/signup',
    body: {
      username: '{{username}}',
      email: 'other-{{email}}',
      password: '{{password}}',
      password_2: '{{password}}',
    },
    status: 409,
    test: [
      check('the field is named', "pm.expect(pm.response.json().errors[0].field).to.equal('username');"),
      check('it is a problem', "pm.expect(pm.response.json().code).to.equal('already_taken');"),
    ],
  },
  {
    name: 'Log in',
    method: 'POST',
    path: '/auth/login',
    body: { email: '{{email}}', password: '{{password}}' },
    status: 200,
    test: [keep('token', 'pm.response.json().token')],
  },
  {
    name: 'The token is valid',
    method: 'POST',
    path: '/auth/validate',
    body: { token: '{{token}}' },
    status: 200,
    test: [check('valid', 'pm.expect(pm.response.json().valid).to.equal(true);')],
  },
  {
    name: 'No tasks yet: an empty list',
    method: 'GET',
    path: '/tasks',
    url: '{{baseUrl}}/tasks?max=4&order=1',
    status: 200,
    test: [check('empty', 'pm.expect(pm.response.json()).to.eql([]);')],
  },
  {
    name: 'Announce a file',
    method: 'POST',
    path: '/uploads',
    body: { filename: `${TABLE}.csv`, size: new TextEncoder().encode(CSV).length, content_type: 'text/csv' },
    status: 201,
    test: [
      keep('upload_id', 'pm.response.json().upload_id'),
      keep('file_id', 'pm.response.json().file_id'),
      'const signed = pm.response.json().urls[0].url;',
      keep('part_url', "signed.startsWith('/') ? pm.variables.replaceIn('{{baseUrl}}') + signed : signed"),
    ],
  },
  {
    name: 'Send its bytes to the signed URL',
    method: 'PUT',
    path: '/',
    url: '{{part_url}}',
    outside: true,
    header: [],
    body: CSV,
    status: 200,
    test: [keep('etag', "pm.response.headers.get('ETag')")],
  },
  {
    name: 'Complete the upload',
    method: 'POST',
    path: '/uploads/{id}/complete',
    url: '{{baseUrl}}/uploads/{{upload_id}}/complete',
    before: ["pm.variables.set('part_etag', pm.collectionVariables.get('etag').replaceAll('\"', ''));"],
    body: { parts: [{ part_number: 1, etag: '{{part_etag}}' }] },
    status: 202,
    test: [keep('task_id', 'pm.response.json().task.id')],
  },
  {
    name: 'Follow the load',
    method: 'GET',
    path: '/tasks/{id}',
    url: '{{baseUrl}}/tasks/{{task_id}}',
    status: 200,
    test: UNTIL_ENDED,
  },
  {
    name: 'The newest tasks, as a plain array',
    method: 'GET',
    path: '/tasks',
    url: '{{baseUrl}}/tasks?max=4&order=1',
    status: 200,
    test: [
      check(
        'one, ours',
        "pm.expect(pm.response.json().map((task) => task.task_id)).to.eql([pm.collectionVariables.get('task_id')]);",
      ),
    ],
  },
  {
    name: 'Tasks by kind, as the usual list',
    method: 'GET',
    path: '/tasks',
    url: '{{baseUrl}}/tasks?kind=load&limit=10',
    status: 200,
    test: [check('one item', 'pm.expect(pm.response.json().items.length).to.equal(1);')],
  },
  {
    name: 'The files',
    method: 'GET',
    path: '/files',
    status: 200,
    test: [check('ours', "pm.expect(pm.response.json().items[0].id).to.equal(pm.collectionVariables.get('file_id'));")],
  },
  {
    name: 'The file is loaded',
    method: 'GET',
    path: '/files/{id}',
    url: '{{baseUrl}}/files/{{file_id}}',
    status: 200,
    test: [
      check('three rows', "pm.expect([pm.response.json().state, pm.response.json().rows]).to.eql(['loaded', 3]);"),
    ],
  },
  {
    name: 'The datasets',
    method: 'GET',
    path: '/datasets',
    status: 200,
    test: [
      check(
        'named after the file',
        `pm.expect(pm.response.json().items.map((each) => each.name)).to.eql(['${TABLE}']);`,
      ),
    ],
  },
  {
    name: 'Its description',
    method: 'GET',
    path: '/datasets/{name}',
    url: `{{baseUrl}}/datasets/${TABLE}`,
    status: 200,
    test: [
      check('typed', "pm.expect(pm.response.json().columns.map((each) => each.type)).to.eql(['text', 'integer']);"),
    ],
  },
  {
    name: 'Its rows, filtered and sorted',
    method: 'GET',
    path: '/datasets/{name}/rows',
    url: `{{baseUrl}}/datasets/${TABLE}/rows?where[people][gt]=2300000&order=-people`,
    status: 200,
    test: [
      check('two cities', "pm.expect(pm.response.json().rows.map((row) => row.city)).to.eql(['Bogotá', 'Medellín']);"),
    ],
  },
  {
    name: 'Its rows, column by column',
    method: 'GET',
    path: '/datasets/{name}/rows',
    url: `{{baseUrl}}/datasets/${TABLE}/rows?orient=columns&select=city&order=city`,
    free: true,
    status: 200,
    test: [
      check('columns', "pm.expect(pm.response.json()).to.eql({ city: { 0: 'Bogotá', 1: 'Cali', 2: 'Medellín' } });"),
    ],
  },
  {
    name: 'SQL with parameters',
    method: 'POST',
    path: '/sql',
    body: { query: `SELECT count(*) AS n, sum(people) AS people FROM ${TABLE} WHERE people > $1`, params: [2_300_000] },
    status: 200,
    test: [check('the sum', 'pm.expect(Number(pm.response.json().rows[0].people)).to.equal(10564052);')],
  },
  {
    name: 'SQL that may not be: refused with its reason',
    method: 'POST',
    path: '/sql',
    body: { query: "SELECT * FROM read_csv('/etc/passwd')" },
    status: 422,
    test: [check('refused', "pm.expect(pm.response.json().code).to.equal('sql_refused');")],
  },
  {
    name: 'Submit a task',
    method: 'POST',
    path: '/tasks',
    body: { file_id: '{{file_id}}', kind: 'load' },
    status: 202,
    test: [
      keep('second_task', 'pm.response.json().task_id'),
      check(
        'it says where it is',
        "pm.expect(pm.response.headers.get('Location')).to.equal('/tasks/' + pm.response.json().id);",
      ),
    ],
  },
  {
    name: 'Cancel it, written as in the earlier documentation',
    method: 'DELETE',
    path: '/tasks/{id}',
    url: '{{baseUrl}}/tasks//{{second_task}}',
    header: [{ key: 'Content-Type', value: 'application/json' }],
    // A load of three lines may be over by then.
    status: [200, 409],
    test: [
      check(
        'cancelled, or too late',
        "pm.expect(pm.response.json().code || 'cancelled').to.be.oneOf(['cancelled', 'task_ended']);",
      ),
    ],
  },
  {
    name: 'A task of nobody',
    method: 'GET',
    path: '/tasks/{id}',
    url: '{{baseUrl}}/tasks/00000000-0000-7000-8000-000000000000',
    status: 404,
    test: [check('not found', "pm.expect(pm.response.json().code).to.equal('task_not_found');")],
  },
  {
    name: 'Processes and the pool',
    method: 'GET',
    path: '/instances',
    status: 200,
    test: [check('a worker lives', 'pm.expect(pm.response.json().pool.size).to.be.above(0);')],
  },
  {
    name: 'Delete the table',
    method: 'DELETE',
    path: '/datasets/{name}',
    url: `{{baseUrl}}/datasets/${TABLE}`,
    status: [204, 200, 202, 409],
  },
  { name: 'Log out', method: 'POST', path: '/auth/logout', status: 204 },
  {
    name: 'The token is dead',
    method: 'GET',
    path: '/auth/me',
    status: 401,
    test: [check('a problem', "pm.expect(pm.response.headers.get('Content-Type')).to.match(/problem\\+json/);")],
  },
];
