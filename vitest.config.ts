// How tests run: two files at a time, and a time after which a hanging test is a failing one.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // It imports its own files without their endings, which Node does not take.
    server: { deps: { inline: ['dt-sql-parser'] } },
  },
});
