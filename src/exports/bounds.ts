/**
 * Told of each thing that can grow, by whoever keeps it within its bound. `usedPart` says how much of
 * the bound is used now, 0 to 1.
 */
export type Bounds = (name: string, usedPart: UsedPart) => void

export type UsedPart = () => number | Promise<number>

/** Where nobody measures. */
export const UNMEASURED: Bounds = () => {}
