import { Problem } from '../problems.ts'

/** One export that the gateway follows, as operators see it. Times are epoch milliseconds. */
export interface FollowedExport {
  readonly ref: { readonly account: string; readonly campaignId: string; readonly exportId: string }
  readonly state: string
  readonly firstSeenAt: number
  readonly nextLookAt: number
  readonly watchers: number
  readonly trouble: string | undefined
}

/** More than anybody reads. `?account=` and `?state=` find the others. */
const MOST = 1_000

/** @throws Problem 400 for a parameter that the route does not know, or that comes twice */
const filterFrom = (query: URLSearchParams) => {
  for (const name of query.keys()) {
    if ((name !== 'account' && name !== 'state') || query.getAll(name).length > 1) {
      throw new Problem('invalid-request', 'The route knows `account` and `state`, each once.')
    }
  }
  const [account, state] = [query.get('account'), query.get('state')]
  return ({ ref, state: its }: FollowedExport): boolean =>
    (account === null || ref.account === account) && (state === null || its === state)
}

const isoOf = (ms: number): string => new Date(ms).toISOString()

/** The exports that are followed now, for operators: as JSON for programs, as HTML for people. */
export const createFollowedPages = (read: () => Promise<readonly FollowedExport[]>) => {
  /** However many ask at once, the schedule is read once. */
  let reading: Promise<readonly FollowedExport[]> | undefined
  const all = (): Promise<readonly FollowedExport[]> => {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }
  const find = async (query: URLSearchParams) => {
    const isWanted = filterFrom(query)
    const found = (await all()).filter(isWanted)
    return { found: found.slice(0, MOST), total: found.length }
  }
  return {
    json: {
      contentType: 'application/json',
      text: async (query: URLSearchParams): Promise<string> => {
        const { found, total } = await find(query)
        const exports = found.map(({ ref, firstSeenAt, nextLookAt, trouble, ...one }) => ({
          ...{ account: ref.account, campaignId: ref.campaignId, exportId: ref.exportId },
          ...{ state: one.state, firstSeenAt: isoOf(firstSeenAt), nextLookAt: isoOf(nextLookAt) },
          ...{ watchersHere: one.watchers, lastTrouble: trouble ?? null },
        }))
        return JSON.stringify({ total, exports })
      },
    },
    html: {
      contentType: 'text/html; charset=utf-8',
      text: async (query: URLSearchParams): Promise<string> => {
        const { found, total } = await find(query)
        return pageOf(found, total, Date.now())
      },
    },
  }
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)

const spanOf = (ms: number): string => {
  const seconds = Math.round(Math.abs(ms) / 1_000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

const rowOf = (one: FollowedExport, now: number): string => {
  const { ref, state, firstSeenAt, nextLookAt, watchers, trouble = '' } = one
  const next =
    nextLookAt > now ? `in ${spanOf(nextLookAt - now)}` : `due ${spanOf(now - nextLookAt)}`
  const cells = [
    ...[ref.account, `${ref.campaignId}/${ref.exportId}`, state],
    ...[`${spanOf(now - firstSeenAt)} ago`, next, String(watchers), trouble],
  ]
  return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`
}

const HEADS = [
  'Account',
  'Export',
  'State',
  'First seen',
  'Next look',
  'Watchers here',
  'Last trouble',
]

const pageOf = (
  found: readonly FollowedExport[],
  total: number,
  now: number,
): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="10">
<meta name="viewport" content="width=device-width">
<title>${total} followed · lemlist export gateway</title>
<style>
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif }
body { margin: 1.5rem }
table { border-collapse: collapse }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8886; text-align: left }
td:nth-child(2) { font-family: ui-monospace, monospace }
</style>
</head>
<body>
<h1>Followed exports</h1>
<p>${total} followed${total > found.length ? `, the ${found.length} first seen last are shown` : ''}.
As JSON: <a href="exports">exports</a>. For Prometheus: <a href="metrics">metrics</a>.</p>
<table>
<thead><tr>${HEADS.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead>
<tbody>
${found.map((one) => rowOf(one, now)).join('\n')}
</tbody>
</table>
</body>
</html>
`
