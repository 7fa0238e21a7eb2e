import { useEffect, useState } from 'react'
import { watchCampaign } from './client.js'

/**
 * Watches all exports of a campaign while the component is mounted: those that the gateway knows,
 * and each that anybody starts later. Returns `{ exports, trouble, refused }`: the exports, those
 * that began last first, trouble that may pass, and the error that ended the watch.
 *
 *   const { exports } = useCampaign(campaignId)
 *   return <table><tbody>{exports.map(({ exportId, status, problem }) => (
 *     <tr key={exportId}><td>{exportId}</td><td>{problem?.code ?? status.status}</td></tr>
 *   ))}</tbody></table>
 *
 * An export has its `status`, or the `problem` that came after it, or both. How to build it is
 * written in react-hook.js.
 *
 * @param {string} campaignId
 */
export function useCampaign(campaignId) {
  const [state, setState] = useState({ campaignId, exports: [] })
  useEffect(() => {
    // What an earlier watch still has to say is not about this campaign.
    const tell = (news) => setState((now) => (now.campaignId === campaignId ? news(now) : now))
    const onProblem = (trouble) => tell((now) => ({ ...now, trouble }))
    const watch = watchCampaign({ campaignId, onProblem })
    const follow = async () => {
      for await (const { exportId, body, problem } of watch) {
        tell(({ exports }) => {
          const before = exports.find((one) => one.exportId === exportId)
          const one = { exportId, status: body?.status ?? before?.status, problem }
          const others = exports.filter((other) => other !== before)
          return { campaignId, exports: [one, ...others].sort(byBegin) }
        })
      }
    }
    setState({ campaignId, exports: [] })
    follow().catch((refused) => tell((now) => ({ ...now, refused })))
    return () => void watch.return()
  }, [campaignId])
  return state.campaignId === campaignId ? state : { exports: [] }
}

/** ISO 8601 times of one zone are in order when their letters are. */
const beganAt = ({ status }) => status?.startedAt ?? ''
const byBegin = (one, other) => beganAt(other).localeCompare(beganAt(one))
