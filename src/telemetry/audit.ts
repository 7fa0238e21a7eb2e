import type { Problem } from '../problems.ts'
import type { Logger } from './log.ts'

/**
 * The audit lines of the log: who did what with which campaign and export, and how it ended. A
 * secret is in none of them.
 */

/** What a caller did. The ids were checked before they got here. */
export interface Deed {
  readonly action: 'start' | 'download' | 'ticket'
  readonly campaign?: string
  /** The export that was started or downloaded. */
  readonly export?: string
  /** What a ticket opens, as `cam_…/axp_…`. */
  readonly exports?: readonly string[]
  readonly campaigns?: readonly string[]
  readonly scopes?: readonly string[]
  /** When a ticket ends, RFC 3339. */
  readonly expiresAt?: string
}

interface Done {
  readonly requestId: string
  readonly caller: { readonly name: string; readonly proof: string }
  readonly account: string | undefined
  readonly deed: Deed
  /** True when the caller left, or the gateway cut the connection, before the answer ended. */
  readonly aborted: boolean
  readonly problem: Problem | undefined
}

export const auditDeed = (logger: Logger, done: Done): void => {
  const { requestId, caller, account, deed, aborted, problem } = done
  logger.info(
    {
      requestId,
      caller: caller.name,
      proof: caller.proof,
      account,
      ...deed,
      result: problem?.code ?? (aborted ? 'aborted' : 'ok'),
    },
    'audit',
  )
}

/** @param changes what changed, by name: `caller crm: keys changed` */
export const auditReload = (logger: Logger, changes: readonly string[]): void =>
  logger.info({ action: 'reload', changes, result: 'ok' }, 'audit')
