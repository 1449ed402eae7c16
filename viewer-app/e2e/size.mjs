/** Fails when a chunk of the build outgrows its budget (compressed as a browser receives it). */
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const ASSETS = new URL('../dist/assets/', import.meta.url).pathname;
const MB = 1024 * 1024;
const BUDGETS = [
  [/^(engine|ImageViewer)-.*\.js$/, 1.3 * MB, 'viewer'],
  [/^(index|react|ui|WorklistPage|Shell|Inside|session|useSelector|dropdown)-.*\.js$/, 0.45 * MB, 'list page'],
];

let failed = false;
for (const [pattern, budget, name] of BUDGETS) {
  const files = readdirSync(ASSETS).filter((file) => pattern.test(file));
  const size = files.reduce((sum, file) => sum + gzipSync(readFileSync(ASSETS + file)).length, 0);
  console.log(`${name}: ${(size / MB).toFixed(2)} MB of ${(budget / MB).toFixed(2)} MB`);
  failed ||= files.length === 0 || size > budget;
}
process.exit(failed ? 1 : 0);
