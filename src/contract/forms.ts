import { type Static, Type } from 'typebox';
import { DATASET_NAME } from './dataset-name.ts';

export const FORM_LANGUAGES = ['en', 'es'] as const;
export type FormLanguage = (typeof FORM_LANGUAGES)[number];

function Words(maxLength: number, description: string) {
  const text = Type.String({ minLength: 1, maxLength });
  const each = Type.Object({ en: Type.Optional(text), es: Type.Optional(text) }, { additionalProperties: false });
  return Type.Union([text, each], { description: `${description}; one text, or one per language: {en, es}` });
}
/** The owner's words: one text for everybody, or one per language. */
export type Words = Static<ReturnType<typeof Words>>;

/** What an owner says about the form of a dataset; the fields come from its declared columns. */
export const FormSettings = Type.Object(
  {
    public: Type.Optional(
      Type.Boolean({
        description: 'Anybody may fill it in; otherwise only who may write to the dataset. Default: false',
      }),
    ),
    slug: Type.Optional(
      Type.String({ pattern: DATASET_NAME, description: "Its address, /forms/{slug}; default: the dataset's name" }),
    ),
    title: Type.Optional(Words(200, 'Heading; default: the name of the dataset')),
    intro: Type.Optional(Words(4000, 'Below the heading; blank lines part paragraphs')),
    submit: Type.Optional(Words(60, 'The button')),
    thanks: Type.Optional(Words(2000, 'On the receipt')),
    labels: Type.Optional(Type.Record(Type.String(), Words(200, 'Label'), { description: 'Column → its label' })),
  },
  { additionalProperties: false },
);
export type FormSettings = Static<typeof FormSettings>;

/** The form of a dataset as the API shows it. */
export const DatasetForm = Type.Intersect([
  FormSettings,
  Type.Object({
    public: Type.Boolean(),
    slug: Type.String(),
    url: Type.String({ description: 'Relative to the gateway' }),
  }),
]);
export type DatasetForm = Static<typeof DatasetForm>;
