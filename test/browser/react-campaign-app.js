/** A table that uses the hook of examples/ for a campaign, so that a test can run the hook. */

import { createElement, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { useCampaign } from '../../examples/react-campaign.js'

const row = ({ exportId, status, problem }) =>
  createElement(
    'tr',
    { key: exportId },
    createElement('td', null, exportId),
    createElement('td', null, problem?.code ?? status?.status),
  )

const Table = ({ campaignId }) => {
  const { exports, refused } = useCampaign(campaignId)
  if (refused) return createElement('p', { id: 'refused' }, refused.code)
  return createElement('table', null, createElement('tbody', null, exports.map(row)))
}

const campaignId = new URLSearchParams(location.search).get('campaignId')
createRoot(document.getElementById('app')).render(
  createElement(StrictMode, null, createElement(Table, { campaignId })),
)
