import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A sheet as a program that is not ours reads it. */
export interface ReadSheet {
  name: string;
  /** Values as they are kept (of formulas: the last known), dates as ISO 8601. */
  rows: unknown[][];
  /** `B2` → `=SUM(…)` */
  formulas: Record<string, string>;
  frozen: string | null;
  filter: string | null;
  links: Record<string, string>;
}

const SCRIPT = `
import json, sys, io, datetime, openpyxl
data = sys.stdin.buffer.read()
def plain(v):
    return v.isoformat() if isinstance(v, (datetime.date, datetime.datetime, datetime.time)) else v
values = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
written = openpyxl.load_workbook(io.BytesIO(data))
out = []
for ws, fs in zip(values.worksheets, written.worksheets):
    out.append({
        'name': ws.title, 'rows': [[plain(c) for c in row] for row in ws.iter_rows(values_only=True)],
        'formulas': {c.coordinate: c.value for row in fs.iter_rows() for c in row if c.data_type == 'f'},
        'frozen': fs.freeze_panes, 'filter': fs.auto_filter.ref,
        'links': {c.coordinate: c.hyperlink.location for row in fs.iter_rows() for c in row if c.hyperlink},
    })
json.dump(out, sys.stdout)
`;

/** Debian's own goes with Debian's package; another may come first on the path. */
const PYTHON = ['python3', '/usr/bin/python3'].find(
  (program) => spawnSync(program, ['-c', 'import openpyxl']).status === 0,
);
/** Why workbooks cannot be read here, or false. */
export const withoutOpenpyxl = PYTHON === undefined && 'without python3-openpyxl';

/** The sheets of a workbook, read by openpyxl. @throws what it says against the workbook */
export function readWorkbook(bytes: Buffer): ReadSheet[] {
  const { status, stdout, stderr } = spawnSync(PYTHON ?? '', ['-c', SCRIPT], { input: bytes, maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`openpyxl: ${stderr.toString()}`);
  return JSON.parse(stdout.toString()) as ReadSheet[];
}

/** LibreOffice takes seconds to start and is not installed for a test: `make soak` uses it where it is. */
export const withoutOffice =
  process.env['CAUDAL_SOAK'] === '1'
    ? spawnSync('soffice', ['--version']).status !== 0 && 'without LibreOffice'
    : 'CAUDAL_SOAK=1 has LibreOffice compute it';

/** The workbook as LibreOffice saves it, formulas computed anew: another application's reading of the same file. */
export function recomputed(bytes: Buffer): ReadSheet[] {
  const directory = mkdtempSync(join(tmpdir(), 'caudal-office-'));
  try {
    // Without the kept values LibreOffice has to compute them.
    writeFileSync(join(directory, 'in.xlsx'), bytes);
    const profile = `-env:UserInstallation=file://${join(directory, 'profile')}`;
    const { status, stderr } = spawnSync(
      'soffice',
      [profile, '--headless', '--convert-to', 'ods', '--outdir', join(directory, 'ods'), join(directory, 'in.xlsx')],
      { env: { ...process.env, HOME: directory } },
    );
    if (status !== 0) throw new Error(`LibreOffice: ${stderr.toString()}`);
    const back = spawnSync(
      'soffice',
      [
        profile,
        '--headless',
        '--convert-to',
        'xlsx',
        '--outdir',
        join(directory, 'out'),
        join(directory, 'ods/in.ods'),
      ],
      { env: { ...process.env, HOME: directory } },
    );
    const [made = ''] = readdirSync(join(directory, 'out'));
    if (back.status !== 0 || made === '') throw new Error(`LibreOffice: ${back.stderr.toString()}`);
    return readWorkbook(readFileSync(join(directory, 'out', made)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
