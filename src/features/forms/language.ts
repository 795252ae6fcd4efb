import { FORM_LANGUAGES, type FormLanguage, type Words } from '#contract/forms.ts';

function known(tag: string): FormLanguage | undefined {
  const primary = tag.trim().toLowerCase().split('-', 1)[0];
  return FORM_LANGUAGES.find((language) => language === primary);
}

/** What the reader asked for by `?lang=`, else by Accept-Language, else English. */
export function chooseLanguage(asked: string | undefined, accepted: string | undefined): FormLanguage {
  const wanted = asked === undefined ? undefined : known(asked);
  if (wanted) return wanted;
  const offers = (accepted ?? '')
    .slice(0, 500)
    .split(',')
    .map((entry, index) => {
      const [tag = '', ...parameters] = entry.split(';');
      const quality = Number(parameters.map((each) => /^\s*q=([\d.]+)\s*$/.exec(each)?.[1]).find(Boolean) ?? 1);
      return { language: known(tag), quality: Number.isNaN(quality) ? 0 : quality, index };
    });
  const best = offers
    .filter(({ language, quality }) => language !== undefined && quality > 0)
    .sort((a, b) => b.quality - a.quality || a.index - b.index)[0];
  return best?.language ?? 'en';
}

/** The owner's words in the reader's language, or in the one there is. */
export function wordsIn(words: Words | undefined, language: FormLanguage): string | undefined {
  if (words === undefined || typeof words === 'string') return words;
  return words[language] ?? FORM_LANGUAGES.map((other) => words[other]).find((text) => text !== undefined);
}
