import { Segmented } from 'antd';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { decodeText } from './kinds';
import styles from './Report.module.css';

interface Props {
  readonly bytes: ArrayBuffer;
  readonly onBroken: () => void;
}

const OPEN_DEPTH = 5;

function parse(source: string): Element | null {
  const parsed = new DOMParser().parseFromString(source, 'application/xml');
  return parsed.querySelector('parsererror') ? null : parsed.documentElement;
}

/** XML as a tree of names and text. It is only ever shown as text, never put into the page. */
export function XmlView({ bytes, onBroken }: Props) {
  const { t } = useTranslation();
  const source = useMemo(() => decodeText(bytes), [bytes]);
  const root = useMemo(() => parse(source), [source]);
  const [view, setView] = useState<'tree' | 'source'>('tree');
  useEffect(() => {
    if (!root) onBroken();
  }, [root, onBroken]);
  if (!root) return null;
  return (
    <>
      <div className={styles['bar']}>
        <Segmented<'tree' | 'source'>
          size="small"
          aria-label={t('report.xml_view')}
          value={view}
          onChange={setView}
          options={[
            { value: 'tree', label: t('report.xml_tree') },
            { value: 'source', label: t('report.xml_source') },
          ]}
        />
      </div>
      <div className={styles['desk']} tabIndex={0}>
        {view === 'tree' ? (
          <div className={styles['paper']} data-xml>
            <Node element={root} depth={0} />
          </div>
        ) : (
          <pre className={styles['paper']}>{source}</pre>
        )}
      </div>
    </>
  );
}

function Node({ element, depth }: { element: Element; depth: number }) {
  const [open, setOpen] = useState(depth < OPEN_DEPTH);
  const children = [...element.children];
  const text = children.length ? '' : (element.textContent ?? '').trim();
  const head = (
    <>
      <span className={styles['tag']}>{element.tagName}</span>
      {[...element.attributes]
        .filter((attribute) => !attribute.name.startsWith('xmlns'))
        .map((attribute) => (
          <span key={attribute.name} className={styles['attribute']}>
            {attribute.name}=<q>{attribute.value}</q>
          </span>
        ))}
      {text ? <span className={styles['value']}>{text}</span> : null}
    </>
  );
  if (children.length === 0) return <div className={styles['leaf']}>{head}</div>;
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{head}</summary>
      {open ? (
        <div className={styles['children']}>
          {children.map((child, index) => (
            <Node key={index} element={child} depth={depth + 1} />
          ))}
        </div>
      ) : null}
    </details>
  );
}
