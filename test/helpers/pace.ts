import { BOUNDLESS } from './faults.ts'

/** Polls follow each other within 100 ms and never wait for a budget, so that tests are quick. */
export const FAST = {
  ...BOUNDLESS,
  POLL_FIRST_MS: '50',
  POLL_INTERVAL_MS: '100',
  POLL_MAX_INTERVAL_MS: '100',
  POLL_IDLE_INTERVAL_MS: '100',
}

/** A rate limit of the emulated lemlist that no test reaches, so that it never answers 429. */
export const UNLIMITED = { calls: 1_000_000_000, windowMs: 2_000 }
