import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { onTestFinished } from 'vitest'
import type { Call, CallFilter } from '../../src/sandbox/call-log.ts'
import { createCsvFile } from '../../src/sandbox/csv-file.ts'
import type { ScriptedAnswer } from '../../src/sandbox/scripted-answers.ts'
import { BOUNDLESS } from './faults.ts'
import { startGateway, statusPath, type TestGateway } from './gateway.ts'
import { UNLIMITED } from './pace.ts'
import { doneBody, REF } from './status-bodies.ts'

/** Downloads through a gateway, as callers see them to their very end. */

type Ref = Pick<typeof REF, 'campaignId' | 'exportId'> | { campaignId: string; exportId: string }

/** The path of an export's file. */
export const filePath = ({ campaignId, exportId }: Ref = REF): string =>
  `/campaigns/${campaignId}/export/${exportId}/file`

export const isFile: CallFilter = ({ operation }: Call) => operation === 'file'

/** The name of the scripted export's file. */
export const FILE_NAME = `fil_${REF.exportId}_scripted.csv`

/** A gateway with nothing in the way of many calls. */
export const startFileGateway = (
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> =>
  startGateway({ env: { ...BOUNDLESS, ...env }, lemlist: { rateLimit: UNLIMITED } })

/** The base URL of its lemlist, as that itself says. */
export const lemlistBase = async ({ url, lemlist }: TestGateway): Promise<string> => {
  const ref = lemlist.add({ durationMs: 0 })
  const answer = await fetch(url + statusPath(ref))
  const [, base] = /"url":"([^"]+)\/files\//.exec(await answer.text()) ?? []
  if (base === undefined) throw new Error('no link in the status')
  return base
}

/** Its lemlist says that the scripted export is done, and answers this when its file is asked for. */
export const scriptFile = (
  { lemlist }: Pick<TestGateway, 'lemlist'>,
  answer: ScriptedAnswer,
  fields: Readonly<Record<string, unknown>> = {},
): void => {
  lemlist.script({ operation: 'status' }, { body: doneBody(fields) })
  lemlist.script({ operation: 'file' }, answer)
}

/** A scripted CSV with these headers instead of a `Content-Length`. */
export const csvAnswer = (
  body: string,
  headers: Readonly<Record<string, string>> = {},
): ScriptedAnswer => ({ headers: { 'Content-Type': 'text/csv', ...headers }, body })

/** The emulator's file of an export. */
export const csvOf = (exportId: string, size: number): Buffer =>
  Buffer.concat([...createCsvFile(exportId, size).slice(0, size)])

export interface Download {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  readonly text: string
  /** Whether it came to its end, as far as HTTP tells. */
  readonly end: 'whole' | 'broken'
}

export interface Asking {
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
}

/** The head of an answer; its body is not read yet. The connection is its own and ends with the test. */
export const openFile = async (
  url: string,
  { method = 'GET', headers = {} }: Asking = {},
): Promise<IncomingMessage> => {
  const call = request(url, { method, headers, agent: false })
  call.end()
  const [response]: IncomingMessage[] = await once(call, 'response')
  call.on('error', () => {})
  if (response === undefined) throw new Error('no answer')
  onTestFinished(() => void response.destroy())
  return response
}

/** Reads an answer to its end, in whatever way it ends. */
export const readFile = async (response: IncomingMessage): Promise<Download> => {
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  response.on('error', () => {})
  // It may have been paused.
  response.resume()
  await new Promise<void>((resolve) => response.once('close', resolve))
  const bytes = Buffer.concat(chunks)
  const headers = new Headers()
  for (const [name, value] of Object.entries(response.headersDistinct)) {
    for (const one of value ?? []) headers.append(name, one)
  }
  return {
    status: response.statusCode ?? 0,
    headers,
    bytes,
    text: bytes.toString(),
    end: response.complete ? 'whole' : 'broken',
  }
}

export const download = async (
  { url }: Pick<TestGateway, 'url'>,
  ref: Ref = REF,
  asking: Asking = {},
): Promise<Download> => readFile(await openFile(url + filePath(ref), asking))
