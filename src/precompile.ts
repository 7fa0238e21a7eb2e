import { keepYoungHeapSmall } from './young-heap.ts'

/**
 * Loads what a gateway loads, with the flags of a start, and ends. Node writes the compiled code into
 * the folder of `NODE_COMPILE_CACHE` at the end. The image has such a folder: a start then takes half
 * the time and 20 MiB less memory, because nothing is compiled and no type is stripped.
 */
keepYoungHeapSmall()
await import('./run.ts')
await import('./app.ts')
await import('./store/open-redis.ts')
await import('./telemetry/metrics.ts')
await import('./access/read-access-file.ts')
await import('./config/unknown-variables.ts')
await import('./config/take-secrets.ts')
