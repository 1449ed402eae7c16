import { render, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import '@/i18n';
import { XmlView } from './XmlView';

const bytes = (text: string) => new TextEncoder().encode(text).buffer as ArrayBuffer;

it('shows markup inside a report as text and runs none of it', () => {
  const hostile = '&lt;img src=x onerror=alert(1)&gt;';
  render(<XmlView bytes={bytes(`<a><t>报告</t><b x="1">${hostile}</b></a>`)} onBroken={vi.fn()} />);
  expect(screen.getByText('<img src=x onerror=alert(1)>')).toBeTruthy();
  expect(screen.getByText('报告')).toBeTruthy();
  expect(document.querySelector('img, script')).toBeNull();
});

it('does not turn elements of the file into elements of the page', () => {
  const xhtml = 'xmlns="http://www.w3.org/1999/xhtml"';
  render(<XmlView bytes={bytes(`<a ${xhtml}><script>1</script><iframe src="x"/></a>`)} onBroken={vi.fn()} />);
  expect(document.querySelector('script, iframe')).toBeNull();
});

it('reports a broken file', () => {
  const onBroken = vi.fn();
  render(<XmlView bytes={bytes('<a><b></a>')} onBroken={onBroken} />);
  expect(onBroken).toHaveBeenCalled();
});
