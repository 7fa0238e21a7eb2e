/** A component that uses the hook of examples/, so that a test can run the hook. */

import { createElement, StrictMode, useLayoutEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { useExport } from '../../examples/react-hook.js'

const commits = []
globalThis.commits = commits

const Export = ({ campaignId, exportId }) => {
  const { status, trouble, refused } = useExport(campaignId, exportId)
  // Everything that was on the screen at any time: the export that was asked for, and the one shown.
  useLayoutEffect(() => void commits.push([exportId, status?._id ?? status?.id ?? '']))
  const words = refused?.code ?? trouble?.code ?? status?.status ?? 'waiting'
  return createElement('p', { id: 'state' }, `${exportId}: ${words}`)
}

const App = () => {
  const [ref, setRef] = useState(Object.fromEntries(new URLSearchParams(location.search)))
  globalThis.show = setRef
  return ref === null ? createElement('p', { id: 'state' }, 'gone') : createElement(Export, ref)
}

createRoot(document.getElementById('app')).render(
  createElement(StrictMode, null, createElement(App)),
)
