import { type Static, Type } from 'typebox';

export const FORMATS = ['csv', 'tsv', 'ndjson', 'json', 'parquet', 'xlsx'] as const;
export const DATE_ORDERS = ['ymd', 'dmy', 'mdy'] as const;

/** Given by the caller they override what is sniffed; what was sniffed is reported under the same names. */
export const ReaderOptions = Type.Object(
  {
    format: Type.Optional(Type.Enum(FORMATS)),
    encoding: Type.Optional(Type.String({ maxLength: 40, description: 'An IANA name, such as utf-8 or windows-1252' })),
    delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 4 })),
    quote: Type.Optional(Type.String({ maxLength: 1, description: 'Empty: nothing is quoted' })),
    escape: Type.Optional(Type.String({ maxLength: 1 })),
    header: Type.Optional(Type.Boolean()),
    skip: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Lines above the header (or data)' }),
    ),
    comment: Type.Optional(Type.String({ maxLength: 2 })),
    decimal: Type.Optional(Type.Enum(['.', ','])),
    thousands: Type.Optional(Type.String({ maxLength: 1 })),
    date_order: Type.Optional(Type.Enum(DATE_ORDERS)),
    null_values: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 20 })),
    sheet: Type.Optional(Type.String({ maxLength: 255, description: 'One sheet of a workbook; all by default' })),
    entry: Type.Optional(Type.String({ maxLength: 1000, description: 'One entry of a zip; all by default' })),
    types: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 20 }), {
        description: 'Column → type, instead of inferring it',
      }),
    ),
    mode: Type.Optional(Type.Enum(['append', 'replace'])),
  },
  { additionalProperties: false },
);
export type ReaderOptions = Static<typeof ReaderOptions>;

/** What the reader found out; the names are the options' own. */
export const Sniffed = Type.Intersect([
  Type.Omit(ReaderOptions, ['mode', 'types', 'null_values']),
  Type.Object({
    compression: Type.Optional(Type.Enum(['gzip', 'zstd', 'bzip2', 'zip'])),
    newline: Type.Optional(Type.Enum(['\n', '\r\n', '\r', 'mixed'])),
  }),
]);
export type Sniffed = Static<typeof Sniffed>;
