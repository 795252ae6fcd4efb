import { bytes, duration, integer, perSecond, type Setting, text } from '#kernel/setting.ts';
import { parseCidrs } from './cidrs.ts';

const HOUR = 3_600_000;
const MB = 1_000_000;

/** What is asked, and by whom how often. */
export const ANSWERS = {
  // Queries
  sqlTimeout: duration('CAUDAL_SQL_TIMEOUT', '30s', { min: 100, max: HOUR }, 'How long one SQL query may run.'),
  sqlMemory: bytes('CAUDAL_SQL_MEMORY', '1GB', { min: 64 * MB }, 'Memory of one SQL query.'),
  sqlMaxRows: integer(
    'CAUDAL_SQL_MAX_ROWS',
    '100000',
    { min: 1 },
    'Rows of a SQL answer as JSON; streamed formats have no limit.',
  ),
  sqlSlots: integer('CAUDAL_SQL_SLOTS', '2', { min: 1, max: 64 }, 'SQL queries that one api process runs at a time.'),
  reportMaxRows: integer(
    'CAUDAL_REPORT_MAX_ROWS',
    '5000000',
    { min: 1, max: 100_000_000 },
    'Rows of one XLSX report; a longer one is cut there and says so.',
  ),
  cacheBytes: bytes('CAUDAL_CACHE_BYTES', '64MB', { min: 0 }, 'Memory for cached answers, per api process.'),
  // Limits on callers
  rateLimitWorkspace: perSecond('CAUDAL_RATE_LIMIT_WORKSPACE', '2000/s', 'Requests of one workspace.'),
  rateLimitAnonymous: perSecond(
    'CAUDAL_RATE_LIMIT_ANONYMOUS',
    '20/s',
    'Requests of one address that is not signed in.',
  ),
  fetchAllowPrivate: {
    ...text(
      'CAUDAL_FETCH_ALLOW_PRIVATE',
      '',
      'Private ranges that a load or a video from a URL may reach, as CIDRs with commas between; none by default.',
    ),
    parse: parseCidrs,
    show: (value: string[]) => value.join(','),
  },
} satisfies Record<string, Setting<unknown>>;
