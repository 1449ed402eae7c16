import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const CORNERSTONE = {
  group: ['@cornerstonejs/*', '@kitware/*'],
  message: 'Only src/viewer/engine talks to Cornerstone; go through its interface.',
};
const FEATURES_APART = {
  group: ['@/features/*', '@/app/*', '../*'],
  message: 'A feature never imports another feature or the shell; src/app composes them.',
};
const BELOW_FEATURES = {
  group: ['@/features/*', '@/app/*'],
  message: 'Imports point downwards: app > features, viewer > api, ui, i18n.',
};
const NO_DIRECT_NETWORK = ['fetch', 'XMLHttpRequest', 'EventSource', 'WebSocket'].map((name) => ({
  name,
  message: 'Only src/api speaks to the server.',
}));

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'e2e/out', 'coverage', 'src/api/schema.d.ts'] },
  {
    files: ['src/**/*.{ts,tsx}', 'build/**/*.ts', '*.ts'],
    extends: [...tseslint.configs.strict],
    plugins: { 'react-hooks': reactHooks },
    languageOptions: { globals: globals.browser },
    rules: {
      ...reactHooks.configs.recommended.rules,
      // Warns of libraries the React compiler would skip; we do not run the compiler.
      'react-hooks/incompatible-library': 'off',
      'max-lines': ['error', 400],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'] }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-restricted-imports': ['error', { patterns: [CORNERSTONE] }],
      'no-restricted-globals': ['error', ...NO_DIRECT_NETWORK],
    },
  },
  {
    files: ['src/features/**/*.{ts,tsx}'],
    rules: { 'no-restricted-imports': ['error', { patterns: [CORNERSTONE, FEATURES_APART] }] },
  },
  {
    files: ['src/{api,ui,i18n,viewer}/**/*.{ts,tsx}'],
    rules: { 'no-restricted-imports': ['error', { patterns: [CORNERSTONE, BELOW_FEATURES] }] },
  },
  {
    files: ['src/viewer/engine/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [BELOW_FEATURES] }] },
  },
  { files: ['src/api/**/*.ts'], rules: { 'no-restricted-globals': 'off' } },
  {
    files: ['src/**/*.test.{ts,tsx}'],
    rules: { 'no-restricted-globals': 'off' },
  },
);
