import { useEffect, useState } from 'react'
import { watchExport } from '/client.js'

/**
 * The status of an export, as it happens: `{ status, trouble, refused }`. Follows for as long as the
 * component is there, and anew when the ids change.
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
