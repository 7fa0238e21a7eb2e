import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DamagedFile, isBusy, isDamage, isSqliteError, StoreInUse, StoreRefused } from './errors.ts'
import { foreign, newer, refuseForeign } from './owner.ts'
import { APPLICATION_ID, hasOurSchema, migrate, SCHEMA_VERSION } from './schema.ts'

export interface SqliteFileOptions {
  /** Absolute path. */
  readonly path: string
  /** Wall clock, epoch milliseconds. It becomes part of the name of a file that is moved aside. */
  readonly now: () => number
  readonly onCorrupt?: ((movedTo: string) => void) | undefined
  /** Called when everybody may write to the directory of the file. */
  readonly onOpenDirectory?: ((directory: string) => void) | undefined
}

export interface SqliteFile {
  readonly db: DatabaseSync
  /** `abandoned`: its last process died without closing it, or it replaces a damaged file. */
  readonly origin: 'new' | 'closed' | 'abandoned'
}

/** Time for another process to finish closing the file. The wait blocks, but only at the start. */
const LOCK_WAIT_MS = 500
const SIDECARS = ['-wal', '-shm']

/**
 * Opens the file for this process alone. A damaged file is moved to `<path>.corrupt-<time>`, and a
 * new one begins.
 *
 * @throws StoreInUse when another process has the file open
 * @throws StoreRefused when the file, or its directory, may not be used
 */
export const openSqliteFile = (options: SqliteFileOptions): SqliteFile => {
  const { path, now, onCorrupt, onOpenDirectory } = options
  const directory = dirname(path)
  if (makeDirectory(directory) === 'open') onOpenDirectory?.(directory)
  try {
    return openOnce(options)
  } catch (error) {
    if (!isDamage(error)) throw explained(error, path)
    const movedTo = moveAside(path, now())
    onCorrupt?.(movedTo)
  }
  try {
    return { db: openOnce(options).db, origin: 'abandoned' }
  } catch (error) {
    throw explained(error, path)
  }
}

const openOnce = ({ path }: SqliteFileOptions): SqliteFile => {
  const created = createPrivateFile(path)
  if (!created) refuseForeign(path)
  // SQLite removes its log when it closes. A log that is still there was left by a dead process.
  const left = existsSync(`${path}-wal`)
  const db = new DatabaseSync(path, { timeout: LOCK_WAIT_MS })
  try {
    lock(db, path)
    // SQLite flushes at every commit, so that an acknowledged final survives a power cut. It
    // overwrites what it deletes, because a body names the customer's file.
    db.exec('pragma synchronous = full; pragma secure_delete = on')
    bringUpToDate(db, path)
    return { db, origin: left ? 'abandoned' : created ? 'new' : 'closed' }
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * The locking mode must be set before WAL, or SQLite lets a second process in. SQLite applies it
 * only at the next transaction, so an empty one follows.
 */
const lock = (db: DatabaseSync, path: string): void => {
  db.exec('pragma locking_mode = exclusive')
  const mode = db.prepare('pragma journal_mode = wal').get()?.journal_mode
  if (mode !== 'wal') throw new StoreRefused(path, 'its file system cannot hold a write-ahead log')
  db.exec('begin exclusive; commit')
}

const bringUpToDate = (db: DatabaseSync, path: string): void => {
  const check = db.prepare('pragma quick_check(1)').get()?.quick_check
  if (check !== 'ok') throw new DamagedFile(String(check))
  const version = Number(db.prepare('pragma user_version').get()?.user_version)
  const application = db.prepare('pragma application_id').get()?.application_id
  const empty = db.prepare('select 1 from sqlite_schema limit 1').get() === undefined
  if (!empty && application !== APPLICATION_ID) throw foreign(path)
  if (version > SCHEMA_VERSION) throw newer(path, version)
  migrate(db, empty ? 0 : version)
  if (!hasOurSchema(db)) throw new DamagedFile('its tables are not those of its version')
}

/**
 * Returns `open` when everybody may write to the directory, and so may replace the file. That is no
 * reason to refuse it: the emptyDir of Kubernetes belongs to root and has the mode 0777, which the
 * user of the gateway cannot change. The file itself is private.
 */
const makeDirectory = (directory: string): 'private' | 'open' => {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { mode } = statSync(directory)
  const isOpen = (mode & 0o002) !== 0 && (mode & 0o1000) === 0
  // Windows has no such mode bits, so there all of them look set.
  return isOpen && process.platform !== 'win32' ? 'open' : 'private'
}

/**
 * Creates the file before SQLite does, which would make it readable by all. The log inherits the
 * mode. Returns false when the file exists.
 */
const createPrivateFile = (path: string): boolean => {
  try {
    // `wx` never opens a file that exists. To close a second descriptor of a file would drop the
    // lock that this process holds on it.
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Moves the log before the file, because a new file must never meet the log of the old one. */
const moveAside = (path: string, time: number): string => {
  const movedTo = `${path}.corrupt-${new Date(time).toISOString().replaceAll(':', '-')}`
  for (const suffix of [...SIDECARS, '']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix)
  }
  return movedTo
}

const explained = (error: unknown, path: string): unknown => {
  if (isBusy(error)) return new StoreInUse(path, { cause: error })
  return isSqliteError(error) ? new StoreRefused(path, error.message, { cause: error }) : error
}
