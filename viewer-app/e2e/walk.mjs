/**
 * Walks through the built app against e2e/fake_server.py and keeps a picture of each step in
 * e2e/out. `CHROMIUM` names the browser, `BASE` the server; `ONLY` runs the steps that match.
 */
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const BASE = process.env.BASE ?? 'http://127.0.0.1:8080';
const OUT = new URL('./out/', import.meta.url).pathname;
const ONLY = new RegExp(process.env.ONLY ?? '.');
const ROOT = '1.2.826.0.1.3680043.10.1.99';
const ARGS = [
  '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

mkdirSync(OUT, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [...ARGS, ...(process.env.CPU ? ['--disable-3d-apis'] : [])],
});
const failures = [];

async function open({ width = 1440, height = 900, signedIn = true, language, touch = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, locale: 'zh-CN', hasTouch: touch, isMobile: touch,
  });
  if (language) {
    await context.addInitScript((value) => localStorage.setItem('pianku.language', value), language);
  }
  const page = await context.newPage();
  page.on('pageerror', (error) => {
    // Cornerstone lets a failed frame request go unhandled; the page itself tells the reader.
    if (error.message !== 'XMLHttpRequest') failures.push(`page error: ${error.message}`);
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !/40[134]|503|Failed to load resource/.test(message.text())) {
      failures.push(`console: ${message.text()}`);
    }
  });
  if (signedIn) {
    await context.request.post(`${BASE}/api/v1/session`, { data: { user: 'doctor', password: 'doctor' } });
    // The request client keeps the cookie of the context.
  }
  return page;
}

const shown = (page, nth = 0) =>
  page.locator('[data-testid=canvas][data-phase=shown]').nth(nth).waitFor({ timeout: 30_000 });
const study = (number) => `${BASE}/studies/${ROOT}.${1000 + number}`;

function expect(condition, what) {
  if (!condition) failures.push(what);
}

const steps = {
  async 'sign-in'(page) {
    await page.goto(BASE);
    await page.getByLabel('用户名').fill('doctor');
    await page.screenshot({ path: `${OUT}sign-in.png` });
    await page.getByLabel('密码', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page.screenshot({ path: `${OUT}sign-in-wrong.png` });
    await page.getByLabel('密码', { exact: true }).fill('doctor');
    await page.keyboard.press('Enter');
    await page.getByText('共 6').waitFor();
    await page.waitForTimeout(500);
    await page.screenshot({ path: `${OUT}worklist.png` });
    expect(!/doctor/.test(page.url()), 'the address names the user');
    await page.getByRole('button', { name: '账户菜单' }).click();
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${OUT}account-menu.png` });
    await page.getByText('退出登录').click();
    await page.getByLabel('用户名').waitFor();
    const after = await page.context().request.get(`${BASE}/api/v1/session`);
    expect(after.status() === 401, 'the session outlives signing out');
  },
  async 'worklist'(page) {
    await page.goto(BASE);
    await page.getByText('共 6').waitFor();
    await page.getByLabel('姓名 / 拼音').fill('测试乙');
    await page.getByText('近7天').click();
    await page.waitForTimeout(900);
    await page.screenshot({ path: `${OUT}worklist-filtered.png` });
    expect(!decodeURIComponent(page.url()).includes('测试'), 'the address holds a name');
    await page.getByLabel('姓名 / 拼音').fill('没有这个人');
    await page.getByText('没有符合条件的检查').waitFor();
    await page.screenshot({ path: `${OUT}worklist-empty.png` });
    await page.getByLabel('姓名 / 拼音').fill('error');
    await page.getByText('服务暂时不可用').waitFor({ timeout: 15_000 });
    await page.screenshot({ path: `${OUT}worklist-error.png` });
  },
  async 'viewer'(page) {
    const started = Date.now();
    await page.goto(study(0));
    await shown(page);
    console.log('first image ms', Date.now() - started);
    await page.waitForTimeout(2500);
    await page.screenshot({ path: `${OUT}viewer.png` });
    await page.keyboard.press('1');
    await page.waitForTimeout(600);
    await page.screenshot({ path: `${OUT}viewer-lung.png` });
    await page.keyboard.press('2');
    await page.keyboard.press('l');
    const box = await page.locator('[data-testid=canvas]').first().boundingBox();
    const at = (x, y) => [box.x + box.width * x, box.y + box.height * y];
    await page.mouse.move(...at(0.4, 0.4));
    await page.mouse.down();
    await page.mouse.move(...at(0.5, 0.42), { steps: 4 });
    await page.mouse.move(...at(0.6, 0.45), { steps: 4 });
    await page.mouse.up();
    await page.keyboard.press('p');
    await page.mouse.move(...at(0.47, 0.62));
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForTimeout(800);
    await page.mouse.move(...at(0.3, 0.9));
    await page.screenshot({ path: `${OUT}viewer-measure.png` });
    const words = await page.locator('svg text').allTextContents();
    console.log('measured', words);
    expect(words.some((word) => /HU/.test(word)), 'the probe gives no value on a middle slice');
    // The phantom's pixels are 0.703125 mm wide, so the drawn line has a known length.
    const percent = Number(/缩放 (\d+)%/.exec(await page.locator('body').innerText())?.[1]);
    const drawn = (Math.hypot(box.width * 0.2, box.height * 0.05) / (percent / 100)) * 0.703125;
    const read = Number(words.map((word) => /^([\d.]+) mm$/.exec(word)?.[1]).find(Boolean));
    expect(Math.abs(read - drawn) < 1, `length reads ${read} mm, the phantom has ${drawn} mm`);
    await page.mouse.wheel(0, 300);
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.waitForTimeout(500);
    await page.screenshot({ path: `${OUT}viewer-help.png` });
    await page.keyboard.press('Escape');
    await page.waitForTimeout(400);
    await page.getByRole('button', { name: '四窗格' }).click();
    await page.getByText('肺窗 5.0mm').first().dragTo(page.locator('section[aria-label="窗格 2"]'));
    await shown(page, 1);
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${OUT}viewer-layout.png` });
  },
  async 'document'(page) {
    await page.goto(study(0));
    await shown(page);
    await page.getByRole('button', { name: /检查报告/ }).first().click();
    await page.locator('canvas[aria-hidden]').waitFor();
    await page.waitForTimeout(2500);
    await page.screenshot({ path: `${OUT}document-split.png` });
    await page.getByRole('button', { name: '下一页' }).click();
    await page.getByText('文档', { exact: true }).first().click();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${OUT}document-page-2.png` });
    await page.getByRole('button', { name: '旋转' }).last().click();
    await page.waitForTimeout(1000);
    await page.screenshot({ path: `${OUT}document-rotated.png` });
    await page.getByText('出院小结').first().click();
    await page.getByText('ClinicalDocument').waitFor();
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${OUT}document-xml.png` });
    expect((await page.title()) !== 'owned', 'markup of a report ran');
    await page.getByText('血常规检验报告').first().click();
    await page.waitForTimeout(800);
    await page.screenshot({ path: `${OUT}document-text.png` });
    await page.getByText('心电图', { exact: true }).first().click();
    await page.waitForTimeout(800);
    await page.screenshot({ path: `${OUT}document-picture.png` });
  },
  async 'cine'(page) {
    await page.goto(study(2));
    await shown(page);
    await page.keyboard.press('Space');
    await page.waitForTimeout(2000);
    await page.screenshot({ path: `${OUT}cine.png` });
    await page.goto(study(1));
    await shown(page);
    await page.waitForTimeout(600);
    await page.screenshot({ path: `${OUT}dx.png` });
  },
  async 'receiving'(page) {
    await page.goto(study(10));
    await shown(page);
    await page.keyboard.press('1');
    await page.keyboard.press('Home');
    const amount = async () => Number(/1 \/ (\d+)/.exec(await page.locator('body').innerText())?.[1]);
    await page.waitForTimeout(500);
    const before = await amount();
    await page.waitForTimeout(7000);
    const after = await amount();
    console.log('arrived', before, after);
    expect(after > before, 'slices that arrive are not listed');
    expect((await page.locator('body').innerText()).includes('窗宽 1500'), 'the window is lost');
    await page.screenshot({ path: `${OUT}receiving.png` });
  },
  async 'errors'(page) {
    await page.goto(`${BASE}/studies/1.2.3`);
    await page.getByRole('alert').waitFor();
    await page.screenshot({ path: `${OUT}study-not-found.png` });
    await page.goto(study(5));
    await page.getByText('尚未收到任何序列').waitFor();
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${OUT}study-empty.png` });
    await page.route('**/frames/**', (route) => route.fulfill({ status: 500 }));
    await page.goto(study(0));
    await page.getByText('当前为服务器预览图').waitFor({ timeout: 20_000 });
    await page.screenshot({ path: `${OUT}viewer-failed.png` });
    await page.goto(BASE);
    await page.getByText('共 6').or(page.getByText('共 7')).waitFor();
    await page.context().clearCookies();
    await page.getByText('登录已失效').waitFor({ timeout: 15_000 });
    await page.screenshot({ path: `${OUT}sign-in-expired.png` });
    await page.goto(study(0));
    await page.getByLabel('用户名').waitFor();
    expect(page.url().includes('to='), 'the target is lost at sign-in');
  },
};

const variants = {
  'english': async () => {
    const page = await open({ language: 'en', width: 1280, height: 720 });
    await page.goto(BASE);
    await page.getByText(/^6\d examinations/).waitFor();
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${OUT}english-worklist.png` });
    await page.goto(study(0));
    await shown(page);
    await page.waitForTimeout(1200);
    await page.screenshot({ path: `${OUT}english-viewer.png` });
    await page.context().close();
  },
  'admin': async () => {
    const page = await open({ signedIn: false });
    await page.context().request.post(`${BASE}/api/v1/session`, { data: { user: 'admin', password: 'admin' } });
    await page.goto(BASE);
    await page.getByText('此账号没有临床工作区').waitFor();
    await page.screenshot({ path: `${OUT}admin.png` });
    await page.context().close();
  },
  'phone': async () => {
    const page = await open({ width: 390, height: 844, touch: true });
    await page.goto(BASE);
    await page.getByText('共 6').waitFor();
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${OUT}phone-worklist.png` });
    await page.goto(study(0));
    await shown(page);
    await page.waitForTimeout(1200);
    await page.screenshot({ path: `${OUT}phone-viewer.png` });
    await page.context().close();
  },
};

for (const [name, step] of Object.entries(steps)) {
  if (!ONLY.test(name)) continue;
  const page = await open({ signedIn: name !== 'sign-in' });
  await step(page).catch(async (error) => {
    failures.push(`${name}: ${error.message}`);
    await page.screenshot({ path: `${OUT}failed-${name}.png` });
  });
  await page.context().close();
  console.log('walked', name);
}
for (const [name, variant] of Object.entries(variants)) {
  if (!ONLY.test(name)) continue;
  await variant().catch((error) => failures.push(`${name}: ${error.message}`));
  console.log('walked', name);
}
await browser.close();
for (const failure of failures) console.error('FAILED', failure);
process.exit(failures.length ? 1 : 0);
