import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';

export const LANGUAGES = [
  { code: 'en', name: 'English', words: () => import('./en.json') },
  { code: 'es', name: 'Español', words: () => import('./es.json') },
] as const;
export type Language = (typeof LANGUAGES)[number]['code'];

const KEPT = 'caudal.language';

function initial(): Language {
  const asked = [localStorage.getItem(KEPT), ...navigator.languages.map((each) => each.slice(0, 2).toLowerCase())];
  return (
    LANGUAGES.find(({ code }) => code === asked.find((each) => LANGUAGES.some((known) => known.code === each)))?.code ??
    'en'
  );
}

/** Words are loaded with the language, and kept for the next visit. */
export async function setLanguage(code: Language): Promise<void> {
  localStorage.setItem(KEPT, code);
  await use(code);
}

async function use(code: Language): Promise<void> {
  if (!i18next.hasResourceBundle(code, 'translation')) {
    const found = LANGUAGES.find((each) => each.code === code) ?? LANGUAGES[0];
    i18next.addResourceBundle(code, 'translation', (await found.words()).default);
  }
  await i18next.changeLanguage(code);
  document.documentElement.lang = code;
}

await i18next.use(initReactI18next).init({
  resources: {},
  lng: initial(),
  fallbackLng: false,
  interpolation: { escapeValue: false },
});
await use(initial());
