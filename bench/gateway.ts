import { main } from '../src/main.ts'
import { processHost } from '../src/run.ts'

/** The gateway as `npm start` runs it, with no `.env` of whoever measures. */
await main(processHost())
