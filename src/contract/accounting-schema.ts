import { type Static, Type } from 'typebox';

/** Every record of a source ends in exactly one of three places; what is no record is listed by line. */
export const Accounting = Type.Object({
  read: Type.Integer({ minimum: 0 }),
  accepted: Type.Integer({ minimum: 0 }),
  quarantined: Type.Integer({ minimum: 0 }),
  duplicates: Type.Integer({ minimum: 0 }),
  skipped: Type.Array(Type.Object({ line: Type.Integer(), why: Type.String() }), {
    description: 'Lines that are not records: titles above the header, comments, blank lines (at most 100 listed)',
  }),
});
export type Accounting = Static<typeof Accounting>;
