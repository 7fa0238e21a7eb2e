import { defineConfig } from 'vitest/config'

const ci = process.env.CI === 'true'

/** Tests that measure time. */
const TIMED = [
  'test/e2e/{budget,poll-budget,shared-poll,quick-export,drain,fan-out-memory,download}.test.ts',
  'test/e2e/{nginx,haproxy,redis-*,fleet-pace,fleet-rolling}.test.ts',
]

/** Whole processes and browsers take their time on a busy machine. */
const patient = {
  globalSetup: 'test/helpers/compile-cache.ts',
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
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: { lines: 95, functions: 95 },
    },
    projects: [
      {
        // Nothing here changes what another file sees, so the files of a worker share their modules.
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
        extends: true,
        test: {
          name: 'whole',
          include: ['test/{e2e,browser}/**/*.test.ts'],
          exclude: TIMED,
          ...patient,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'timed',
          include: TIMED,
          ...patient,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // `npm test` leaves this out. `.ci/run` runs it as well.
        extends: true,
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          ...patient,
          testTimeout: 180_000,
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
