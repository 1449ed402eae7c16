import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

const FOLDERS = ['cmaps', 'standard_fonts', 'wasm'];
const root = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));

/**
 * Serves the character maps, base fonts and image decoders of pdf.js from our own origin.
 * Hospital reports often name a Chinese font without embedding it; without the maps they
 * come out blank, and a hospital network has no outside host to fetch them from.
 */
export function pdfjsAssets(): Plugin {
  return {
    name: 'pianku-pdfjs-assets',
    configureServer(server) {
      server.middlewares.use('/pdfjs', (request, response, next) => {
        const [folder = '', file = ''] = (request.url ?? '').split('?')[0]!.slice(1).split('/');
        if (!FOLDERS.includes(folder) || !readdirSync(join(root, folder)).includes(file)) {
          next();
          return;
        }
        if (file.endsWith('.wasm')) response.setHeader('Content-Type', 'application/wasm');
        createReadStream(join(root, folder, file)).pipe(response);
      });
    },
    generateBundle() {
      for (const folder of FOLDERS) {
        for (const file of readdirSync(join(root, folder))) {
          const source = readFileSync(join(root, folder, file));
          this.emitFile({ type: 'asset', fileName: `pdfjs/${folder}/${file}`, source });
        }
      }
    },
  };
}
