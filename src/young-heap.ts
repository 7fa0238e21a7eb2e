import { setFlagsFromString } from 'node:v8'

/**
 * V8 doubles its room for new objects again and again while the modules load, and gives none of it
 * back: 13 MiB of an idle process. So it may not grow until the gateway serves. Under load it grows
 * then as ever. The flag is read at each collection, so it may be set at any time.
 */
export const keepYoungHeapSmall = (): void => setFlagsFromString('--semi-space-growth-factor=1')

/** Sets what is V8's default. */
export const letYoungHeapGrow = (): void => setFlagsFromString('--semi-space-growth-factor=2')
