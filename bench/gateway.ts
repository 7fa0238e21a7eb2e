import { main } from '../src/main.ts'
import { keepMemorySmall } from '../src/v8-memory.ts'

/** Runs the gateway like `npm start`, but without the `.env` file of the person who measures. */
keepMemorySmall()
const { processHost } = await import('../src/run.ts')
await main(processHost())
