import { basename } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const ci = process.env.CI === 'true'

/** Tests that measure time or memory. */
const TIMED = [
  'test/e2e/{budget,poll-budget,shared-poll,quick-export,slow-consumer,download}.test.ts',
  'test/e2e/{follow-to-the-end,idempotency-restart}.test.ts',
  'test/e2e/{redis-*,fleet-*}.test.ts',
  'test/store/failover/{failover,spare}.test.ts',
]

/** Tests that need the whole machine. */
const ALONE = ['test/long/overload.test.ts']

/** The files that take longest. They begin first, so that no worker waits for them at the end. */
const LONGEST = new Set([
  ...['failover', 'page-list', 'page-life', 'dockerfile', 'sandbox'],
  ...['slow-consumer', 'poll-budget', 'nginx', 'haproxy', 'drain'],
  ...['page-desk', 'page-sign-in', 'process', 'log-output', 'page-start', 'swagger-access'],
  ...['below-a-path', 'page-campaign', 'page-tabs', 'other-origin', 'signals', 'matrix'],
  ...['clients', 'documented-proxies', 'malformed-flood', 'fairness', 'health-check'],
  ...['fleet-pace', 'fleet-rolling', 'fleet-away', 'fleet-lost-count', 'fleet-life'],
  ...['redis-gone', 'redis-refuses', 'redis-budget'],
])

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      LONGEST.has(basename(moduleId, '.test.ts'))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

/** Whole processes and browsers take their time on a busy machine. */
const patient = {
  globalSetup: 'test/helpers/compile-cache.ts',
  testTimeout: 90_000,
  hookTimeout: 60_000,
}
export default defineConfig({
  test: {
    reporters: ci ? ['default', 'json'] : ['default'],
    outputFile: { json: 'coverage/test-report.json' },
    // A shared machine may stall for seconds, and thousands of tests use real sockets and processes.
    // `.ci/run` names each test that needed its second try.
    retry: ci ? 1 : 0,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    sequence: { sequencer: LongestFirst },
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: { lines: 95, functions: 95 },
    },
    projects: [
      {
        // No file changes what another one sees, so the files of a worker share their modules.
        extends: true,
        test: {
          name: 'fast',
          include: ['test/{unit,store,http,openapi}/**/*.test.ts'],
          exclude: TIMED,
          isolate: false,
          maxWorkers: 5,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Whole processes and browsers: most of their time is spent in waiting for one another.
        extends: true,
        test: {
          name: 'whole',
          include: ['test/{e2e,browser}/**/*.test.ts'],
          exclude: TIMED,
          ...patient,
          // As in `fast`. To load all modules again, with coverage, costs most of a second for each file.
          isolate: false,
          maxWorkers: 5,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'timed',
          include: TIMED,
          ...patient,
          // What measures memory measures a process of its own.
          isolate: false,
          maxWorkers: 4,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // `npm test` leaves this out. `.ci/run` runs it as well.
        extends: true,
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          exclude: ALONE,
          ...patient,
          testTimeout: 180_000,
          maxWorkers: 4,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          ...patient,
          testTimeout: 180_000,
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
})
