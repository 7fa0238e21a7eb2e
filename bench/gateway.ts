import { main } from '../src/main.ts'
import { keepYoungHeapSmall } from '../src/young-heap.ts'

/** Runs the gateway like `npm start`, but without the `.env` file of the person who measures. */
keepYoungHeapSmall()
const { processHost } = await import('../src/run.ts')
await main(processHost())
