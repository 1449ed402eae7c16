import { useEffect } from 'react';

const TILE = { width: 320, height: 190 };
const MINUTE_MS = 60_000;

function stamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${day} ${two(now.getHours())}:${two(now.getMinutes())}`;
}

function tile(lines: readonly string[]): string {
  const ratio = Math.max(1, window.devicePixelRatio || 1);
  const canvas = document.createElement('canvas');
  canvas.width = TILE.width * ratio;
  canvas.height = TILE.height * ratio;
  const context = canvas.getContext('2d');
  if (!context) return '';
  context.scale(ratio, ratio);
  context.translate(TILE.width / 2, TILE.height / 2);
  context.rotate(-0.36);
  context.textAlign = 'center';
  context.font = '13px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
  // Mid grey, so that it shows on the white list and on black images alike.
  context.fillStyle = 'rgb(128 140 148 / 17%)';
  lines.forEach((line, index) => context.fillText(line, 0, index * 20));
  return canvas.toDataURL();
}

/**
 * Writes who is reading, and when, over the page. It deters photographs of the screen and
 * makes them traceable; it cannot prevent them. A node that is removed or altered comes back.
 */
export function Watermark({ text }: { text: string }) {
  useEffect(() => {
    let node: HTMLDivElement;
    let image = '';
    let style = '';
    const dress = () => {
      style =
        'position:fixed;inset:0;z-index:2000;pointer-events:none;display:block;opacity:1;' +
        `visibility:visible;background:url(${image}) 0 0/${TILE.width}px ${TILE.height}px repeat`;
      node.setAttribute('style', style);
    };
    const insert = () => {
      node = document.createElement('div');
      node.setAttribute('aria-hidden', 'true');
      node.dataset['watermark'] = '';
      dress();
      document.body.append(node);
    };
    const paint = () => {
      image = tile([text, stamp(new Date())]);
      dress();
    };
    insert();
    paint();
    const observer = new MutationObserver(() => {
      if (!node.isConnected) {
        insert();
        observe();
      } else if (node.getAttribute('style') !== style || node.hidden || node.className) {
        node.className = '';
        node.hidden = false;
        dress();
      }
    });
    const observe = () => {
      observer.disconnect();
      observer.observe(document.body, { childList: true });
      observer.observe(node, { attributes: true });
    };
    observe();
    const clock = setInterval(paint, MINUTE_MS);
    return () => {
      clearInterval(clock);
      observer.disconnect();
      node.remove();
    };
  }, [text]);
  return null;
}
