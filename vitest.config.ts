import { defineConfig } from 'vitest/config'

const ci = process.env.CI === 'true'

const TIMED = [
  'test/e2e/{budget,poll-budget,shared-poll,quick-export,drain,fan-out-memory,download}.test.ts',
  'test/e2e/{load-balancers,redis-away,fleet-pace,fleet-rolling,fleet-faults}.test.ts',
]

const patient = {
  testTimeout: 90_000,
  hookTimeout: 60_000,
}

export default defineConfig({
  test: {
    reporters: ci
      ? ['default', ['json', { outputFile: 'coverage/test-report.json' }]]
      : ['default'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // A shared machine may stall for seconds, and many measure time: a second try, told in the report.
    retry: ci ? 1 : 0,
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
          isolate: false,
          maxWorkers: 4,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Whole processes and browsers, two files at a time.
        extends: true,
        test: {
          name: 'whole',
          include: ['test/{e2e,browser}/**/*.test.ts'],
          exclude: TIMED,
          ...patient,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // What measures time: one file at a time, so that none disturbs another's clock.
        extends: true,
        test: {
          name: 'timed',
          include: TIMED,
          ...patient,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
