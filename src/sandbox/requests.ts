/** Tells from the path of a request what the request asks for. */

export type Operation = 'status' | 'start' | 'file' | 'unknown'

export interface Request {
  readonly method: string
  /** The path and query as received. */
  readonly path: string
  readonly operation: Operation
  readonly campaignId?: string
  readonly exportId?: string
  readonly fileName?: string
}

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

export const readRequest = (method: string, path: string): Request => {
  const [route = ''] = path.split('?')
  const segments = route.split('/').map(decoded)
  const [root, api, kind, first, second, third, fourth, ...rest] = segments
  const known = root === '' && api === 'api' && rest.length === 0
  if (known && kind === 'campaigns' && first && second === 'export') {
    if (third === 'start' && fourth === undefined) {
      return { method, path, operation: 'start', campaignId: first }
    }
    if (third && fourth === 'status') {
      return { method, path, operation: 'status', campaignId: first, exportId: third }
    }
  }
  if (known && kind === 'files' && first === 'exports' && second && third === undefined) {
    const [, exportId] = /^fil_([a-z]{3}_[A-Za-z0-9]+)(_.*)?\.csv$/.exec(second) ?? []
    const file = { method, path, operation: 'file', fileName: second } as const
    return exportId === undefined ? file : { ...file, exportId }
  }
  return { method, path, operation: 'unknown' }
}

/**
 * lemlist's name for a file: lower case, with `_` for spaces and with hyphens kept. It is not known
 * what lemlist does with other characters.
 */
export const fileNameOf = (exportId: string, campaignName: string): string => {
  const slug = campaignName.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '_')
  return `fil_${exportId}_${slug}.csv`
}
