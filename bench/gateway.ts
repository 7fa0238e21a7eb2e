import { main } from '../src/main.ts'
import { processHost } from '../src/run.ts'

/** Runs the gateway like `npm start`, but without the `.env` file of the person who measures. */
await main(processHost())
