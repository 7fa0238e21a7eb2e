/** Another process has the file open. */
export class StoreInUse extends Error {
  override readonly name = 'StoreInUse'
  constructor(path: string, options?: ErrorOptions) {
    super(
      `The store file ${path} is in use by another process. Stop that process, or give this one a file of its own in STORE_URL.`,
      options,
    )
  }
}

/** The file or its directory cannot be used as it is. The message says why and what to do. */
export class StoreRefused extends Error {
  override readonly name = 'StoreRefused'
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`The store file ${path} cannot be used: ${reason}`, options)
  }
}

/** SQLite opens the file, but the file is damaged inside. This error never leaves `store/`. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile'
}

const SQLITE_BUSY = 5
const SQLITE_READONLY = 8
const SQLITE_IOERR = 10
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_CANTOPEN = 14
const SQLITE_NOTADB = 26

/** Returns the primary result code of a SQLite error. The upper bytes only say where it arose. */
const sqliteCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined

export const isSqliteError = (error: unknown): error is Error => sqliteCode(error) !== undefined

export const isBusy = (error: unknown): boolean => sqliteCode(error) === SQLITE_BUSY

/** Only damage may move a file aside. After busy, full and I/O errors the file is still good. */
export const isDamage = (error: unknown): boolean => {
  const code = sqliteCode(error)
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB || error instanceof DamagedFile
}

const CANNOT_WRITE = new Set([SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN])

/** Whether the disk took no write: it is full, broken or read-only. The next write may succeed. */
export const cannotWrite = (error: unknown): boolean => CANNOT_WRITE.has(sqliteCode(error) ?? 0)
