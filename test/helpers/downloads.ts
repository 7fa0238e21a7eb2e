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

/** Downloads of files through a gateway, as a caller sees them until they end. */

type Ref = Pick<typeof REF, 'campaignId' | 'exportId'> | { campaignId: string; exportId: string }

/** The path of an export's file. */
export const filePath = ({ campaignId, exportId }: Ref = REF): string =>
  `/campaigns/${campaignId}/export/${exportId}/file`

export const isFile: CallFilter = ({ operation }: Call) => operation === 'file'

/** The name of the scripted export's file. */
export const FILE_NAME = `fil_${REF.exportId}_scripted.csv`

/** Starts a gateway without a limit on its calls to lemlist. */
export const startFileGateway = (
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> =>
  startGateway({ env: { ...BOUNDLESS, ...env }, lemlist: { rateLimit: UNLIMITED } })

/** The base URL of the emulated lemlist, taken from a link in a status of its own. */
export const lemlistBase = async ({ url, lemlist }: TestGateway): Promise<string> => {
  const ref = lemlist.add({ durationMs: 0 })
  const answer = await fetch(url + statusPath(ref))
  const [, base] = /"url":"([^"]+)\/files\//.exec(await answer.text()) ?? []
  if (base === undefined) throw new Error('no link in the status')
  return base
}

/** lemlist says that the scripted export is done, and answers this when its file is asked for. */
export const scriptFile = (
  { lemlist }: Pick<TestGateway, 'lemlist'>,
  answer: ScriptedAnswer,
  fields: Readonly<Record<string, unknown>> = {},
): void => {
  lemlist.script({ operation: 'status' }, { body: doneBody(fields) })
  lemlist.script({ operation: 'file' }, answer)
}

/** A scripted CSV with these headers besides its `Content-Type`. */
export const csvAnswer = (
  body: string,
  headers: Readonly<Record<string, string>> = {},
): ScriptedAnswer => ({ headers: { 'Content-Type': 'text/csv', ...headers }, body })

/** The bytes of the file that the emulator makes for an export. */
export const csvOf = (exportId: string, size: number): Buffer =>
  Buffer.concat([...createCsvFile(exportId, size).slice(0, size)])

export interface Download {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  readonly text: string
  /** Whether the client got the whole body, as far as HTTP can tell. */
  readonly end: 'whole' | 'broken'
}

export interface Asking {
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Asks for a file and resolves to the head of the answer; the body is not read yet. The request has
 * a connection of its own, which ends with the test.
 */
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

/** Reads an answer until it ends, whole or broken. */
export const readFile = async (response: IncomingMessage): Promise<Download> => {
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  response.on('error', () => {})
  // The test may have paused the response.
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
