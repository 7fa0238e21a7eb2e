/** Another process holds the file. */
export class StoreInUse extends Error {
  override readonly name = 'StoreInUse'
  constructor(path: string, options?: ErrorOptions) {
    super(
      `The store file ${path} is in use by another process. Stop that process, or give this one a file of its own in STORE_URL.`,
      options,
    )
  }
}

/** The file or its directory may not be used as it is; the message says why and what to do. */
export class StoreRefused extends Error {
  override readonly name = 'StoreRefused'
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`The store file ${path} cannot be used: ${reason}`, options)
  }
}

/** The file opens as SQLite and is damaged inside. Never leaves `store/`. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile'
}

const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** The primary result code of an error of SQLite; the upper bytes only say where it arose. */
const sqliteCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined

export const isSqliteError = (error: unknown): error is Error => sqliteCode(error) !== undefined

export const isBusy = (error: unknown): boolean => sqliteCode(error) === SQLITE_BUSY

/** Nothing else may move a file aside: busy, full and I/O errors pass, and the file is good. */
export const isDamage = (error: unknown): boolean => {
  const code = sqliteCode(error)
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB || error instanceof DamagedFile
}
