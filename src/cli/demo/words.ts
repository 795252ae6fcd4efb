/** What the sample is made of. */

export const FIRST_NAMES = [
  ...['Ana María', 'José', 'Lucía', 'Andrés', 'Sofía', 'Martín', 'Inés', 'Ramón', 'Zoë', 'Chloé', 'François', 'João'],
  ...['Conceição', 'Björn', 'Åsa', 'Jürgen', 'Käthe', 'Nuño', 'Íñigo', 'Begoña', 'Siobhán', 'Łukasz', 'Renée', 'Óscar'],
] as const;

export const FAMILY_NAMES = [
  ...['García', 'Rodríguez Peña', 'Núñez', 'Muñoz', 'Gutiérrez', 'Ibáñez, hijo', 'O’Brien', 'D’Alessandro', 'Müller'],
  ...['Sørensen', 'Gonçalves', 'Lefèvre', 'Wałęsa', 'Ávila Ríos', 'Quiñones', 'Strauß', 'Bustamante "Busta"', 'Mejía'],
] as const;

export const CITIES = [
  ['Bogotá', 'Colombia'],
  ['Medellín', 'Colombia'],
  ['Popayán', 'Colombia'],
  ['Ciudad de México', 'México'],
  ['Mérida', 'México'],
  ['Córdoba', 'Argentina'],
  ['Asunción', 'Paraguay'],
  ['Málaga', 'España'],
  ['A Coruña', 'España'],
  ['São Paulo', 'Brasil'],
  ['Orléans', 'France'],
  ['Köln', 'Deutschland'],
  ['Malmö', 'Sverige'],
  ['Washington, D.C.', 'United States'],
  ['Galway', 'Ireland'],
] as const;

export const SERVICES = [
  ['House cleaning', 38],
  ['Airport transfer', 27.5],
  ['Piano tuning', 85],
  ['Bicycle repair', 22],
  ['Boiler inspection', 64],
  ['Dog walking', 12],
  ['Photo session, outdoor', 140],
  ['Moving, two rooms', 310],
  ['Language lesson', 18],
  ['Garden design', 220],
] as const;

const SPANISH = [
  'Llegaron puntuales, saludaron y empezaron sin perder un minuto.',
  'El técnico dijo: "esto se arregla hoy o no se cobra", y cumplió.',
  'Pagué un poco más de lo acordado, aunque me explicaron cada peso, cada tornillo y cada hora.',
  '¿Volvería a llamarlos? Sí, sin duda; ya se los recomendé a mi hermana, a mi vecina y al señor de la tienda.',
  'La página no dejaba elegir la hora: hubo que llamar tres veces, y a la tercera contestó una grabación.',
  'Dejaron todo más limpio de lo que estaba, y eso que llovía a cántaros y venían con las botas embarradas.',
  'Lo único malo: el niño de al lado se despertó con el taladro; fuera de eso, impecable.',
  'En el presupuesto decía "incluye materiales", pero los materiales aparecieron después en otra factura.',
];

const ENGLISH = [
  'They came on time, which in this town is worth a star by itself.',
  'The invoice said "two hours", the clock said three, and nobody charged for the third.',
  'I had asked for the blue one; I got the green one, and, to be honest, the green one is nicer.',
  'Communication could be better: two messages went unanswered, one phone call was cut off, and then somebody simply rang the bell.',
  'She explained what had been wrong, why it would break again, and what it would cost to keep it from doing so.',
  'My grandmother, who trusts nobody, offered them coffee – make of that what you will.',
  'Price: fair. Work: solid. Humour: dry.',
  'Somewhere between "excellent" and "good enough"; I would book again if the calendar showed free days.',
];

const PORTUGUESE_AND_FRENCH = [
  'Serviço impecável: chegaram às nove, saíram às onze e não ficou um grão de pó.',
  'O orçamento dizia "até sexta-feira"; terminaram na quinta, e ainda ofereceram um café.',
  'A comunicação foi difícil no início, mas depois correu tudo bem, sem surpresas nem extras.',
  'L’équipe était aimable, ponctuelle, et d’une patience infinie avec mon chien, qui mord.',
  'On m’avait promis « une petite heure » ; il en a fallu quatre, mais le résultat est là.',
  'Très bon rapport qualité-prix, à condition de réserver tôt, de rappeler la veille et d’avoir la monnaie.',
];

const GERMAN_AND_SWEDISH = [
  'Pünktlich, gründlich, und die Rechnung stimmte auf den Cent – was will man mehr?',
  'Auf die Frage "geht das auch heute?" kam ein freundliches Nein, am nächsten Morgen war trotzdem alles fertig.',
  'Die Übergabe war etwas hektisch, die Schlüssel lagen im Blumentopf, aber die Arbeit ist tadellos.',
  'Allt gick som utlovat, från första samtalet till den sista kontrollen, och priset höll.',
  'Små förseningar, stora leenden: jag anlitar dem gärna igen.',
];

export const PHRASES = [SPANISH, ENGLISH, SPANISH, ENGLISH, PORTUGUESE_AND_FRENCH, GERMAN_AND_SWEDISH] as const;

/** Texts with commas that somebody forgot to quote. */
export const BAD_ENDINGS = [
  'late, rude, and expensive',
  'bien, pero caro, muy caro',
  'fine, fine, fine, and then it broke',
] as const;
