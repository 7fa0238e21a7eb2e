import { useEffect, useState } from 'react'
import { watchExport } from '/client.js'

/**
 * Watches an export while the component is mounted, and watches anew when the ids change. Returns
 * `{ status, trouble, refused }`: the newest status, trouble that may pass, and the error that
 * ended the watch.
 *
 * @param {string} campaignId
 * @param {string} exportId
 */
export function useExport(campaignId, exportId) {
  const [state, setState] = useState({})
  useEffect(() => {
    const onProblem = (trouble) => setState((before) => ({ ...before, trouble }))
    const watch = watchExport({ campaignId, exportId, onProblem })
    const follow = async () => {
      for await (const { status } of watch) setState({ status })
    }
    setState({})
    follow().catch((refused) => setState((before) => ({ ...before, refused })))
    return () => void watch.return()
  }, [campaignId, exportId])
  return state
}
