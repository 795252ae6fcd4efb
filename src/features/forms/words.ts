import type { DeclaredColumn } from '#contract/datasets.ts';
import type { FormLanguage } from '#contract/forms.ts';
import { acceptedImages } from '#contract/images.ts';
import { formatBytes } from '#kernel/bytes.ts';

/** What is wrong with a field, in the words of `record-check` and of the images room, plus a key that exists. */
export const FAULTS = [
  'required',
  'wrong_type',
  'pattern',
  'enum',
  'min',
  'max',
  'duplicate',
  'unsupported_image',
  'image_too_large',
  'image_damaged',
] as const;
export type Fault = (typeof FAULTS)[number];

export function isFault(code: string): code is Fault {
  return (FAULTS as readonly string[]).includes(code);
}

type FaultWords = Record<Fault, (column: DeclaredColumn, maxBytes: number) => string>;

interface FormWords {
  optional: string;
  choose: string;
  yes: string;
  no: string;
  submit: string;
  sending: string;
  problems: string;
  takePhoto: string;
  photoKept: string;
  photoHint(types: string, most: string): string;
  example: Record<string, string>;
  utc: string;
  receipt: string;
  receiptNumber: string;
  received: string;
  keepNumber: string;
  again: string;
  languageName: string;
  skip: string;
  expired: string;
  leaveEmpty: string;
  sentBefore: string;
  tooMany(minutes: number): string;
  faults: FaultWords;
  pages: Record<'not_found' | 'forbidden' | 'rate_limited' | 'busy' | 'broken', [title: string, text: string]>;
}

const TYPE_NAMES: Record<string, string> = {
  'image/jpeg': 'JPEG',
  'image/png': 'PNG',
  'image/webp': 'WebP',
  'image/avif': 'AVIF',
};

/** `JPEG, PNG or WebP`. */
export function imageNames({ accept }: Pick<DeclaredColumn, 'accept'>, language: FormLanguage): string {
  const names = acceptedImages(accept).map((type) => TYPE_NAMES[type] as string);
  return new Intl.ListFormat(language, { type: 'disjunction' }).format(names);
}

/** `10 MB`, not `10.0 MB`. */
export function sizeOf(bytes: number): string {
  return formatBytes(bytes).replace(/\.0+ /, ' ');
}

const isDay = ({ type }: DeclaredColumn): boolean => type === 'date' || type === 'timestamp';
const isTime = ({ type }: DeclaredColumn): boolean => type === 'time';
const scaleOf = ({ type }: DeclaredColumn): number => Number(/,(\d+)\)/.exec(type)?.[1] ?? 0);

const en: FormWords = {
  optional: 'optional',
  choose: 'Choose…',
  yes: 'Yes',
  no: 'No',
  submit: 'Send',
  sending: 'Sending…',
  problems: 'Please check these fields',
  takePhoto: 'Take a photo',
  photoKept: 'The photo has arrived; choose another one only to replace it.',
  photoHint: (types, most) => `${types}, up to ${most}.`,
  example: {
    date: 'For example 2026-03-31.',
    time: 'For example 14:30.',
    uuid: 'For example 0f8fad5b-d9cb-469f-a165-70867728950e.',
  },
  utc: 'In universal time (UTC).',
  receipt: 'We have received it',
  receiptNumber: 'Receipt number',
  received: 'Received',
  keepNumber: 'Keep this number: it says that your answers have been stored.',
  again: 'Fill it in again',
  languageName: 'English',
  skip: 'Skip to the form',
  expired: 'The form had been open for too long, or your browser keeps no cookies. Please send it again.',
  leaveEmpty: 'The last field must stay empty: it is there to recognise programs. Please send it again.',
  sentBefore: 'This form was sent before, with other answers. To register somebody else, fill it in again.',
  tooMany: (minutes) =>
    `Too many forms came from your network. Please try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
  faults: {
    required: () => 'Please fill this in.',
    wrong_type: (column) => {
      if (column.type === 'integer') return 'Enter a whole number, such as 42.';
      if (column.type === 'number') return 'Enter a number, such as 42.5.';
      if (column.type.startsWith('decimal')) return `Enter a number with at most ${scaleOf(column)} decimals.`;
      if (column.type === 'date') return 'Enter a date, such as 2026-03-31.';
      if (column.type === 'time') return 'Enter a time, such as 14:30.';
      if (column.type === 'timestamp') return 'Enter a date and a time, such as 2026-03-31 14:30.';
      if (column.type === 'boolean') return 'Choose yes or no.';
      if (column.type === 'json') return 'Enter valid JSON.';
      return 'This does not have the expected form.';
    },
    pattern: () => 'This does not have the expected form.',
    enum: () => 'Choose one of the options.',
    min: (column) =>
      isDay(column)
        ? `Enter ${column.min} or later.`
        : isTime(column)
          ? `Enter ${column.min} or later.`
          : `Enter ${column.min} or more.`,
    max: (column) =>
      isDay(column) || isTime(column) ? `Enter ${column.max} or earlier.` : `Enter ${column.max} or less.`,
    duplicate: () => 'This is registered already.',
    unsupported_image: (column) =>
      `This is not a photo in ${imageNames(column, 'en')}. On an iPhone choose “Most Compatible” under Settings › Camera › Formats.`,
    image_too_large: (_column, most) => `The photo is too large: at most ${sizeOf(most)} and 50 million pixels.`,
    image_damaged: () => 'The photo could not be read. Please take it again.',
  },
  pages: {
    not_found: ['There is no form here', 'Check the address. If the form is not public, sign in first.'],
    forbidden: ['You may not fill in this form', 'Ask its owner for the right to write to the dataset.'],
    rate_limited: ['Too many forms', 'Please wait a moment, then send it again.'],
    busy: [
      'Just a moment',
      'There is more to do than usual. Please send it again in a few seconds: whatever happens, it is registered once.',
    ],
    broken: [
      'Something went wrong',
      'Please go back and send it again: whatever happens, it is registered once. If it lasts, tell the owner of the form this number:',
    ],
  },
};

const es: FormWords = {
  optional: 'opcional',
  choose: 'Elige…',
  yes: 'Sí',
  no: 'No',
  submit: 'Enviar',
  sending: 'Enviando…',
  problems: 'Revisa estos campos',
  takePhoto: 'Tomar una foto',
  photoKept: 'La foto ha llegado; elige otra solo para cambiarla.',
  photoHint: (types, most) => `${types}, hasta ${most}.`,
  example: {
    date: 'Por ejemplo 2026-03-31.',
    time: 'Por ejemplo 14:30.',
    uuid: 'Por ejemplo 0f8fad5b-d9cb-469f-a165-70867728950e.',
  },
  utc: 'En tiempo universal (UTC).',
  receipt: 'Lo hemos recibido',
  receiptNumber: 'Número de comprobante',
  received: 'Recibido',
  keepNumber: 'Guarda este número: dice que tus respuestas quedaron registradas.',
  again: 'Llenarlo otra vez',
  languageName: 'Español',
  skip: 'Ir al formulario',
  expired:
    'El formulario estuvo abierto demasiado tiempo, o tu navegador no guarda cookies. Envíalo otra vez, por favor.',
  leaveEmpty: 'El último campo debe quedar vacío: sirve para reconocer programas. Envíalo otra vez, por favor.',
  sentBefore: 'Este formulario ya se envió con otras respuestas. Para registrar a otra persona, llénalo otra vez.',
  tooMany: (minutes) =>
    `Llegaron demasiados formularios desde tu red. Inténtalo otra vez en ${minutes === 1 ? 'un minuto' : `${minutes} minutos`}.`,
  faults: {
    required: () => 'Llena este campo, por favor.',
    wrong_type: (column) => {
      if (column.type === 'integer') return 'Escribe un número entero, como 42.';
      if (column.type === 'number') return 'Escribe un número, como 42.5.';
      if (column.type.startsWith('decimal')) return `Escribe un número con ${scaleOf(column)} decimales como máximo.`;
      if (column.type === 'date') return 'Escribe una fecha, como 2026-03-31.';
      if (column.type === 'time') return 'Escribe una hora, como 14:30.';
      if (column.type === 'timestamp') return 'Escribe una fecha y una hora, como 2026-03-31 14:30.';
      if (column.type === 'boolean') return 'Elige sí o no.';
      if (column.type === 'json') return 'Escribe JSON válido.';
      return 'No tiene la forma esperada.';
    },
    pattern: () => 'No tiene la forma esperada.',
    enum: () => 'Elige una de las opciones.',
    min: (column) =>
      isDay(column) || isTime(column) ? `Escribe ${column.min} o después.` : `Escribe ${column.min} o más.`,
    max: (column) =>
      isDay(column) || isTime(column) ? `Escribe ${column.max} o antes.` : `Escribe ${column.max} o menos.`,
    duplicate: () => 'Ya está registrado.',
    unsupported_image: (column) =>
      `No es una foto en ${imageNames(column, 'es')}. En un iPhone elige «El más compatible» en Ajustes › Cámara › Formatos.`,
    image_too_large: (_column, most) =>
      `La foto es demasiado grande: ${sizeOf(most)} y 50 millones de píxeles como máximo.`,
    image_damaged: () => 'No se pudo leer la foto. Tómala otra vez, por favor.',
  },
  pages: {
    not_found: [
      'Aquí no hay ningún formulario',
      'Revisa la dirección. Si el formulario no es público, inicia sesión primero.',
    ],
    forbidden: ['No puedes llenar este formulario', 'Pide a su dueño el permiso de escribir en el conjunto de datos.'],
    rate_limited: ['Demasiados formularios', 'Espera un momento y envíalo otra vez.'],
    busy: [
      'Un momento',
      'Hay más trabajo que de costumbre. Envíalo otra vez en unos segundos: pase lo que pase, queda registrado una sola vez.',
    ],
    broken: [
      'Algo salió mal',
      'Vuelve atrás y envíalo otra vez: pase lo que pase, queda registrado una sola vez. Si persiste, dale este número al dueño del formulario:',
    ],
  },
};

/** Our own words on a form's pages; those about the subject are the owner's. */
export const WORDS: Record<FormLanguage, FormWords> = { en, es };
