import { BOUNDLESS } from './faults.ts'

/** Looks come one after the other and nothing holds them up; for tests that look at what follows. */
export const FAST = {
  ...BOUNDLESS,
  POLL_FIRST_MS: '50',
  POLL_INTERVAL_MS: '100',
  POLL_MAX_INTERVAL_MS: '100',
  POLL_IDLE_INTERVAL_MS: '100',
}

/** An emulated lemlist that never says 429. */
export const UNLIMITED = { calls: 1_000_000_000, windowMs: 2_000 }
