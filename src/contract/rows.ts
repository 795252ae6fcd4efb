import { type Static, Type } from 'typebox';

/** Durable, and on the way into the dataset. */
export const Rows202 = Type.Object({
  accepted: Type.Integer({ description: 'Rows received' }),
  duplicates: Type.Integer({
    description: 'Rows among them whose key was taken already, where the dataset rejects those',
  }),
  batch_id: Type.String(),
});
export type Rows202 = Static<typeof Rows202>;

/** In the dataset: readable from now on, at every replica. */
export const RowsInserted = Type.Object({
  accepted: Type.Integer({ description: 'Rows received' }),
  inserted: Type.Integer(),
  quarantined: Type.Integer(),
  duplicates: Type.Integer(),
  ids: Type.Array(Type.String(), {
    description: 'Of the rows inserted, in their order: `_source` and `_line` with a colon between; at most 1,000',
  }),
  batch_id: Type.String(),
});
export type RowsInserted = Static<typeof RowsInserted>;
