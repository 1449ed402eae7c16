import { expect, it } from 'vitest';
import { safeTarget } from './target';

it('keeps targets inside the application', () => {
  expect(safeTarget('/studies/1.2.3?series=1.2.3.4')).toBe('/studies/1.2.3?series=1.2.3.4');
  for (const bad of ['//evil.example', '/\\evil', 'https://evil.example', '', undefined, 7, '/sign-in']) {
    expect(safeTarget(bad)).toBe('/');
  }
});
