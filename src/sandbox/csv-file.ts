/**
 * The CSV file of a done export. One export and size always gives the same bytes. The bytes are
 * made while they are sent, from any offset, so that a file of 512 MiB needs no memory. lemlist
 * does not document the columns of its statistics file. The columns here are some of its leads
 * file.
 */

export interface CsvFile {
  readonly size: number
  /** The bytes from offset `from` up to offset `to`, without the byte at `to`. */
  slice(from: number, to: number): Generator<Buffer>
}

const HEADER = 'emailStatus,email,firstName,lastName,companyName,lastState,status,_id,note\n'
const ROWS_PER_CHUNK = 512

/** @param size exact size in bytes; a file that is too small for one row is a part of the header */
export const createCsvFile = (exportId: string, size: number): CsvFile => {
  // With nine digits all rows have the same length, up to 10^9 rows. So a division finds the row at
  // any offset.
  const row = (index: number, note = '') => {
    const number = String(index).padStart(9, '0')
    const person = `deliverable,lead${number}@example.com,First${number},Last${number}`
    return `${person},${exportId},emailsSent,done,lea_Sandbox2${number},${note}\n`
  }
  const rowBytes = row(0).length
  const rows = Math.floor((size - HEADER.length) / rowBytes)
  // The note of the first row has as many characters as are left over, so that the size is exact
  // and no row is cut.
  const head = Buffer.from(
    rows > 0
      ? HEADER + row(0, 'x'.repeat(size - HEADER.length - rows * rowBytes))
      : HEADER.padEnd(size, '\n').slice(0, size),
  )

  return {
    size,
    *slice(from, to) {
      if (from < head.length) yield head.subarray(from, to)
      let index = 1 + Math.max(0, Math.floor((from - head.length) / rowBytes))
      for (; ; index += ROWS_PER_CHUNK) {
        const start = head.length + (index - 1) * rowBytes
        if (start >= to) return
        const count = Math.min(ROWS_PER_CHUNK, rows - index)
        const text = Array.from({ length: count }, (_, nth) => row(index + nth)).join('')
        yield Buffer.from(text, 'latin1').subarray(Math.max(0, from - start), to - start)
      }
    },
  }
}

export type ByteRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly from: number; readonly to: number }
  | { readonly kind: 'unsatisfiable' }

/** RFC 9110, 14: one range is served. Several ranges and malformed ones are ignored. */
export const readRange = (header: string | undefined, size: number): ByteRange => {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  const [, first = '', last = ''] = match ?? []
  if (first === '' && last === '') return { kind: 'whole' }
  if (first === '') {
    const from = Math.max(0, size - Number(last))
    return Number(last) === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', from, to: size }
  }
  if (last !== '' && Number(last) < Number(first)) return { kind: 'whole' }
  if (Number(first) >= size) return { kind: 'unsatisfiable' }
  const to = last === '' ? size : Math.min(size, Number(last) + 1)
  return { kind: 'part', from: Number(first), to }
}
