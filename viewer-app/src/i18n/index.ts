import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { en } from './en';
import { zhCN } from './zh-CN';

/** Languages offered, the hospital's own first. */
export const LANGUAGES = ['zh-CN', 'en'] as const;
/** One of the languages offered. */
export type Language = (typeof LANGUAGES)[number];

const STORAGE_KEY = 'pianku.language';

function remembered(): Language {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return LANGUAGES.find((language) => language === stored) ?? 'zh-CN';
  } catch {
    // Private windows may refuse storage; the default language still works.
    return 'zh-CN';
  }
}

/** Switches the language and remembers it on this machine. */
export function changeLanguage(language: Language): void {
  try {
    localStorage.setItem(STORAGE_KEY, language);
  } catch {
    // Not remembered, but switched.
  }
  void i18next.changeLanguage(language);
}

i18next.on('languageChanged', (language) => {
  document.documentElement.lang = language;
});

void i18next.use(initReactI18next).init({
  lng: remembered(),
  fallbackLng: 'zh-CN',
  resources: { 'zh-CN': { translation: zhCN }, en: { translation: en } },
  interpolation: { escapeValue: false },
  returnNull: false,
});

export { i18next };
