import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { pdfjsAssets } from './build/pdfjs-assets.ts';

const backend = process.env['PIANKU_BACKEND'] ?? 'http://127.0.0.1:8080';

// The loader itself must stay out of pre-bundling (it locates its worker by import.meta.url),
// but its codecs are CommonJS and die in the dev server unless they are pre-bundled.
const CODECS = [
  '@cornerstonejs/codec-charls/decodewasmjs',
  '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs',
  '@cornerstonejs/codec-libjxl/decodewasmjs',
  '@cornerstonejs/codec-openjpeg/decodewasmjs',
  '@cornerstonejs/codec-openjph/wasmjs',
];

export default defineConfig({
  plugins: [react(), pdfjsAssets()],
  resolve: {
    alias: {
      '@': fileURLToPath(new URL('./src', import.meta.url)),
      // vtk.js reaches Node's `events` through xmlbuilder2; Vite would hand it an empty
      // module and the production build would open as a white page.
      events: 'events/',
    },
  },
  optimizeDeps: {
    exclude: ['@cornerstonejs/dicom-image-loader'],
    include: [
      'dicom-parser',
      ...CODECS.map((codec) => `@cornerstonejs/dicom-image-loader > ${codec}`),
    ],
  },
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    chunkSizeWarningLimit: 5000,
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/dicom-web'].map((path) => [path, { target: backend, changeOrigin: false }]),
    ),
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['./vitest.setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    css: { modules: { classNameStrategy: 'non-scoped' } },
    restoreMocks: true,
  },
});
