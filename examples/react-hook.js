import { useEffect, useState } from 'react'
import { watchExport } from './client.js'

/**
 * Watches an export while the component is mounted, and watches anew when the ids change. Returns
 * `{ status, trouble, refused }`: the newest status, trouble that may pass, and the error that
 * ended the watch.
 *
 *   const { status } = useExport(campaignId, exportId)
 *   return <p>{status?.status ?? 'waiting'}</p>
 *
 * It builds with Vite, webpack and others as it is, when the client of your gateway is saved beside
 * it, and again after an update of the gateway:
 *
 *   curl -fsS --remote-name-all https://gateway.example/client.js https://gateway.example/client.d.ts
 *
 * A development server has to pass the requests on to the gateway. That is one line:
 *
 *   Vite:    server: { proxy: { '/campaigns': 'http://127.0.0.1:8080' } }
 *   webpack: devServer: { proxy: [{ context: ['/campaigns'], target: 'http://127.0.0.1:8080' }] }
 *
 * @param {string} campaignId
 * @param {string} exportId
 */
export function useExport(campaignId, exportId) {
  const key = `${campaignId}/${exportId}`
  const [state, setState] = useState({ key })
  useEffect(() => {
    // What an earlier watch still has to say is not about this export.
    const tell = (news) => setState((now) => (now.key === key ? { ...news(now), key } : now))
    const onProblem = (trouble) => tell((now) => ({ ...now, trouble }))
    const watch = watchExport({ campaignId, exportId, onProblem })
    const follow = async () => {
      for await (const { status } of watch) tell(() => ({ status }))
    }
    setState({ key })
    follow().catch((refused) => tell((now) => ({ ...now, refused })))
    return () => void watch.return()
  }, [campaignId, exportId, key])
  // New ids are rendered before their effect runs. Until then the state is about the old ones.
  return state.key === key ? state : {}
}
