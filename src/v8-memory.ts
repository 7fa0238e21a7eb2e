import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Keeps V8 from taking memory that makes the gateway no faster. */

/**
 * How much of a WebAssembly function must run before V8 compiles it again, to faster code; roughly the
 * bytes of its instructions. V8's default is 13 million, and undici's parser reaches that with a few
 * answers of lemlist. The compiler then takes 8 MiB, which the C library keeps for later use. lemlist
 * permits ten calls a second, and their answers need no faster parser.
 */
const WASM_BUDGET = 1_000_000_000

/** V8 reads the flag at each collection, so it may be set at any time. */
const growBy = (factor: 1 | 2): void => setFlagsFromString(`--semi-space-growth-factor=${factor}`)

/**
 * V8 doubles its room for new objects again and again while the modules load, and gives none of it
 * back: 13 MiB of an idle process. So it may not grow until the gateway serves. Under load it grows
 * then as ever.
 */
export const keepMemorySmall = (): void => {
  growBy(1)
  setFlagsFromString(`--wasm-tiering-budget=${WASM_BUDGET}`)
}

/** Sets what is V8's default. */
export const letYoungHeapGrow = (): void => growBy(2)

/** What the watch uses of V8. */
interface YoungHeap {
  /** Both halves of the room together, bytes. */
  roomBytes(): number
  mayGrow(may: boolean): void
}

const v8Heap: YoungHeap = {
  roomBytes: () =>
    getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0,
  mayGrow: (may) => growBy(may ? 2 : 1),
}

/** With fewer open streams there is little to save. */
const MANY_STREAMS = 100
/** Bytes, both halves together. With more of it, requests between the streams cost hardly less. */
const ENOUGH = 4 * 1_024 * 1_024
/**
 * How often the room is looked at, in streams. They leave about a MiB of garbage until then. Room that does
 * not grow needs fewer looks.
 */
const LOOK_EVERY = { growing: 50, settled: 200 } as const

/**
 * Thousands of streams that open one after the other are new objects that stay. So V8 doubles its room
 * for new objects up to 2 x 64 MiB and keeps that, 9 KiB for each of 10 000 streams, which
 * send so little that they need none of it. So the room does not grow further while many are open.
 *
 * @returns a function that is told how many streams are open, whenever one opens or is over
 */
export const createYoungHeapWatch = (heap: YoungHeap = v8Heap): ((open: number) => void) => {
  let mayGrow = true
  return (open) => {
    const isFew = open < MANY_STREAMS
    const every = mayGrow || isFew ? LOOK_EVERY.growing : LOOK_EVERY.settled
    if (open % every !== 0) return
    const may = isFew || heap.roomBytes() < ENOUGH
    if (may === mayGrow) return
    mayGrow = may
    heap.mayGrow(may)
  }
}
