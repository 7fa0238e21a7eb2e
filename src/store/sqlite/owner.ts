import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { isSqliteError, StoreRefused } from './errors.ts'
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.ts'

/** What the first page of a database says. */
interface FirstPage {
  readonly application: number
  readonly version: number
  readonly isEmpty: boolean
}

/** The places of the two numbers in the header of a database, and of the count of its tables. */
const VERSION_AT = 60
const APPLICATION_AT = 68
const CELLS_AT = 103

const WAL_HEADER = 32
const FRAME_HEADER = 24
const PAGE_SIZE_AT = 8
const SALTS_AT = 16
const FRAME_SALTS_AT = 8
const SALTS_LENGTH = 8
/** The first page is among the first that a new database writes. */
const LOG_BYTES = 1024 * 1024

/**
 * Refuses the database of another program, and one of a newer version, before SQLite opens it for
 * writing. SQLite would change the journal mode of the file, roll back its journal, or copy its log
 * into it.
 *
 * @throws StoreRefused
 */
export const refuseForeign = (path: string): void => {
  const stat = statSync(path, { throwIfNoEntry: false })
  // To open a FIFO would block for ever.
  if (stat !== undefined && !stat.isFile()) throw new StoreRefused(path, 'it is no regular file.')
  const page = firstPageOf(path)
  if (page === undefined) return
  const isOurs = page.application === APPLICATION_ID
  if (isOurs && page.version > SCHEMA_VERSION) throw newer(path, page.version)
  if (isOurs || isOursInLog(path)) return
  if (page.application !== 0 || !page.isEmpty || hasTablesInLog(path)) throw foreign(path)
}

export const foreign = (path: string): StoreRefused =>
  new StoreRefused(path, 'it is the database of another program. Name another file in STORE_URL.')

export const newer = (path: string, version: number): StoreRefused =>
  new StoreRefused(
    path,
    `it was written by a newer version (schema ${version}, this one knows ${SCHEMA_VERSION}). Run that version, or move the file away.`,
  )

/**
 * Reads the file as if nobody could change it: SQLite takes no lock, looks at no journal or log, and
 * creates nothing. A file that SQLite cannot read is not judged here.
 */
const firstPageOf = (path: string): FirstPage | undefined => {
  let db: DatabaseSync | undefined
  try {
    const url = pathToFileURL(path)
    url.search = '?mode=ro&immutable=1'
    db = new DatabaseSync(url, { readOnly: true })
    return {
      application: Number(db.prepare('pragma application_id').get()?.application_id),
      version: Number(db.prepare('pragma user_version').get()?.user_version),
      isEmpty: db.prepare('select 1 from sqlite_schema limit 1').get() === undefined,
    }
  } catch (error) {
    if (isSqliteError(error)) return undefined
    throw error
  } finally {
    db?.close()
  }
}

/** The log may hold what the file does not say yet, when a process was killed soon after its start. */
const isOursInLog = (path: string): boolean =>
  firstPagesInLog(path).some(({ application }) => application === APPLICATION_ID)

const hasTablesInLog = (path: string): boolean =>
  firstPagesInLog(path).some(({ isEmpty }) => !isEmpty)

/** The versions of the first page in the write-ahead log (https://sqlite.org/fileformat2.html#walformat). */
const firstPagesInLog = (path: string): FirstPage[] => {
  const log = beginOf(`${path}-wal`)
  const pages: FirstPage[] = []
  if (log.length < WAL_HEADER) return pages
  const step = FRAME_HEADER + log.readUInt32BE(PAGE_SIZE_AT)
  const salts = log.subarray(SALTS_AT, SALTS_AT + SALTS_LENGTH)
  for (let at = WAL_HEADER; at + step <= log.length; at += step) {
    const frame = log.subarray(at, at + step)
    // Frames with other salts are left over from before the log was begun again.
    const isCurrent = frame.subarray(FRAME_SALTS_AT, FRAME_SALTS_AT + SALTS_LENGTH).equals(salts)
    if (!isCurrent || frame.readUInt32BE(0) !== 1) continue
    const page = frame.subarray(FRAME_HEADER)
    pages.push({
      application: page.readUInt32BE(APPLICATION_AT),
      version: page.readUInt32BE(VERSION_AT),
      isEmpty: page.readUInt16BE(CELLS_AT) === 0,
    })
  }
  return pages
}

/** No lock is on the log, so that closing it here drops none. */
const beginOf = (path: string): Buffer => {
  const bytes = Buffer.alloc(LOG_BYTES)
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return Buffer.alloc(0)
  }
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, LOG_BYTES, 0))
  } finally {
    closeSync(file)
  }
}
