import { defineConfig } from 'vitest/config'

const ci = process.env.CI === 'true'

export default defineConfig({
  test: {
    reporters: ci
      ? ['default', ['json', { outputFile: 'coverage/test-report.json' }]]
      : ['default'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: { lines: 95, functions: 95 },
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['test/{unit,store,http,openapi}/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Whole processes, budgets and browsers: one file at a time, so that none disturbs another's clock.
        extends: true,
        test: {
          name: 'whole',
          include: ['test/{e2e,browser}/**/*.test.ts'],
          testTimeout: 90_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          // A shared machine may stall for seconds, and these measure time: a second try, told in the report.
          retry: ci ? 1 : 0,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
