import { GlobalOutlined } from '@ant-design/icons';
import { useTranslation } from 'react-i18next';
import { changeLanguage } from '@/i18n';
import styles from './Shell.module.css';

/** Changes between Chinese and English; named in the language it leads to. */
export function LanguageSwitch() {
  const { i18n } = useTranslation();
  const other = i18n.language === 'en' ? 'zh-CN' : 'en';
  return (
    <button
      type="button"
      className={styles['quiet']}
      lang={other}
      onClick={() => changeLanguage(other)}
    >
      <GlobalOutlined aria-hidden />
      <span>{other === 'en' ? 'English' : '中文'}</span>
    </button>
  );
}
