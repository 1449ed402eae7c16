import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript';
import type { OpenAPI3 } from 'openapi-typescript';
import { expect, it } from 'vitest';
import description from '../../../schemas/openapi/pianku.json';

// `npm run api` runs this test and lets it write the file.
it('keeps schema.d.ts in step with schemas/openapi/pianku.json (else: npm run api)', async () => {
  const types = await openapiTS(description as unknown as OpenAPI3, {
    immutable: true,
    defaultNonNullable: false, // a member with a default may be left out of a request
  });
  await expect(COMMENT_HEADER + astToString(types)).toMatchFileSnapshot('schema.d.ts');
});
