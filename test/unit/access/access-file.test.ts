import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { AccessFault, parseAccessFile } from '../../../src/access/access-file.ts'
import { createKey, digestOf } from '../../../src/access/keys.ts'
import {
  inspectAccessFile,
  readAccessFile,
  readAccountKeys,
} from '../../../src/access/read-access-file.ts'
import { tempDirectory } from '../../helpers/process.ts'

const CANARY = 'CanaryOfTheAccessFile'
const DIGEST = digestOf(createKey())
const CRM = { keys: [DIGEST], accounts: ['default'] }

const faultsOf = (attempt: () => unknown): readonly string[] => {
  try {
    attempt()
  } catch (error) {
    if (error instanceof AccessFault) return error.faults
    throw error
  }
  return []
}
const faultsIn = (file: unknown): readonly string[] =>
  faultsOf(() => parseAccessFile(typeof file === 'string' ? file : JSON.stringify(file)))

const fileOf = (content: string): string => {
  const path = join(tempDirectory(), 'file')
  writeFileSync(path, content)
  return path
}

describe('an access file', () => {
  it('names accounts and callers with their rights', () => {
    const { accounts, callers } = parseAccessFile(
      JSON.stringify({
        accounts: { sales: { apiKeyFile: '/run/secrets/sales' }, emea: { apiKey: 'a-key' } },
        callers: {
          crm: {
            keys: [DIGEST],
            accounts: ['sales', 'emea'],
            campaigns: ['cam_A'],
            scopes: ['status', 'file'],
          },
        },
      }),
    )
    expect(accounts?.get('sales')).toEqual({ apiKeyFile: '/run/secrets/sales' })
    expect(accounts?.get('emea')).toMatchObject({ apiKey: { reveal: expect.any(Function) } })
    expect(callers.get('crm')).toEqual({
      keys: [DIGEST],
      accounts: ['sales', 'emea'],
      campaigns: new Set(['cam_A']),
      scopes: new Set(['status', 'file']),
    })
  })

  it('without accounts gives its callers the account default', () => {
    const { accounts, callers } = parseAccessFile(JSON.stringify({ callers: { crm: CRM } }))
    expect(accounts).toBeUndefined()
    expect(callers.get('crm')?.accounts).toEqual(['default'])
  })

  it('gives a caller without campaigns and scopes all of them', () => {
    const { callers } = parseAccessFile(JSON.stringify({ callers: { crm: CRM } }))
    expect(callers.get('crm')?.campaigns).toBeUndefined()
    expect(callers.get('crm')?.scopes).toEqual(new Set(['status', 'start', 'file']))
  })

  it.each<[string, unknown]>([
    ['a byte order mark', `\uFEFF${JSON.stringify({ callers: { crm: CRM } })}`],
    ['accounts only', { accounts: { sales: { apiKey: 'a-key' } } }],
    ['two keys', { callers: { crm: { ...CRM, keys: [DIGEST, digestOf(createKey())] } } }],
    ['upper-case digits', { callers: { crm: { ...CRM, keys: [`sha256:${'AB'.repeat(32)}`] } } }],
    ['the longest name', { callers: { [`a${'-'.repeat(62)}`]: CRM } }],
  ])('may have %s', (_, file) => {
    expect(faultsIn(file)).toEqual([])
  })

  it.each<[string, unknown]>([
    ['the file', CANARY],
    ['the file', `{"callers": ${CANARY}`],
    ['the file', []],
    ['the file', null],
    ['the file', `{"callers": {"__proto__": "${CANARY}"}}`],
    ['the file', `{"callers": {"\\u005f_proto__": {}}}`],
    [`${CANARY}`, { [CANARY]: 1 }],
    ['(a name that is not shown)', { [`leg_${CANARY}`]: 1 }],
    ['accounts', { accounts: {} }],
    ['accounts', { accounts: [CANARY] }],
    ['accounts.Sales', { accounts: { Sales: { apiKey: CANARY } } }],
    ['accounts.-sales', { accounts: { '-sales': { apiKey: CANARY } } }],
    ['accounts.sales', { accounts: { sales: {} } }],
    ['accounts.sales', { accounts: { sales: { apiKey: CANARY, apiKeyFile: CANARY } } }],
    ['accounts.sales.apiKey', { accounts: { sales: { apiKey: `${CANARY} ${CANARY}` } } }],
    ['accounts.sales.apiKey', { accounts: { sales: { apiKey: 7 } } }],
    ['accounts.sales.apiKeyFile', { accounts: { sales: { apiKeyFile: '' } } }],
    ['accounts.sales.key', { accounts: { sales: { apiKey: CANARY, key: CANARY } } }],
    ['callers', { callers: [CRM] }],
    ['callers.crm', { callers: { crm: CANARY } }],
    ['callers.crm.keys', { callers: { crm: { accounts: ['default'] } } }],
    ['callers.crm.keys', { callers: { crm: { ...CRM, keys: CANARY } } }],
    ['callers.crm.keys', { callers: { crm: { ...CRM, keys: [] } } }],
    [
      'callers.crm.keys',
      { callers: { crm: { ...CRM, keys: [1, 2, 3].map((n) => `sha256:${`${n}`.repeat(64)}`) } } },
    ],
    ['callers.crm.keys.0', { callers: { crm: { ...CRM, keys: [`leg_${CANARY}`] } } }],
    ['callers.crm.keys.0', { callers: { crm: { ...CRM, keys: [`${DIGEST}0`] } } }],
    ['callers.crm.keys.0', { callers: { crm: { ...CRM, keys: [DIGEST.replace('256', '512')] } } }],
    ['callers.crm.keys.1', { callers: { crm: { ...CRM, keys: [DIGEST, DIGEST] } } }],
    ['callers.bi.keys.0', { callers: { crm: CRM, bi: CRM } }],
    [
      'callers.bi.keys.0',
      {
        callers: {
          crm: { ...CRM, keys: [`sha256:${'ab'.repeat(32)}`] },
          bi: { ...CRM, keys: [`sha256:${'AB'.repeat(32)}`] },
        },
      },
    ],
    ['callers.crm.accounts', { callers: { crm: { keys: [DIGEST] } } }],
    ['callers.crm.accounts', { callers: { crm: { ...CRM, accounts: [] } } }],
    ['callers.crm.accounts.0', { callers: { crm: { ...CRM, accounts: ['sales'] } } }],
    [
      'callers.crm.accounts.0',
      { accounts: { sales: { apiKey: 'a' } }, callers: { crm: { ...CRM, accounts: ['default'] } } },
    ],
    ['callers.crm.campaigns', { callers: { crm: { ...CRM, campaigns: [] } } }],
    ['callers.crm.campaigns.0', { callers: { crm: { ...CRM, campaigns: [`cam_${CANARY}!`] } } }],
    ['callers.crm.scopes', { callers: { crm: { ...CRM, scopes: [] } } }],
    ['callers.crm.scopes.1', { callers: { crm: { ...CRM, scopes: ['file', CANARY] } } }],
    ['callers.crm.scope', { callers: { crm: { ...CRM, scope: ['file'] } } }],
  ])('has a fault at %s when it is %j', (path, file) => {
    const faults = faultsIn(file)
    expect(faults.map((fault) => fault.split(':', 1)[0])).toEqual([path])
    // The name of an unknown field is shown when it looks like a name.
    if (path !== CANARY) expect(faults.join()).not.toContain(CANARY)
    expect(faults.join()).not.toContain(DIGEST.slice(-16))
  })

  it('tells all its faults at once', () => {
    const crm = { ...CRM, accounts: ['sales', 'nobody'], scopes: ['x'] }
    const file = { accounts: { sales: {} }, callers: { crm, bi: CRM, Bi: CRM } }
    // Regression: the faults of parts that refer to each other came only after all others were mended.
    expect(faultsIn({ ...file, more: 1 }).map((fault) => fault.replace(/:.*/s, ''))).toEqual([
      ...['accounts.sales', 'callers.crm.scopes.0', 'callers.Bi', 'more'],
      ...['callers.crm.accounts.1', 'callers.bi.accounts.0', 'callers.bi.keys.0'],
    ])
  })

  it.each([
    ['no accounts', { keys: CRM.keys }, 'callers.bi.keys.0'],
    ['an account of another form', { ...CRM, accounts: ['nobody', 5] }, 'callers.bi.accounts.0'],
  ])('tells what else is wrong with a caller with %s', (_, bi, fault) => {
    const faults = faultsIn({ callers: { crm: CRM, bi } })
    expect(faults.map((one) => one.replace(/:.*/s, ''))).toContain(fault)
    expect(faults.length).toBeGreaterThan(1)
  })

  it('shows no lemlist key when it is printed', () => {
    const file = parseAccessFile(JSON.stringify({ accounts: { sales: { apiKey: CANARY } } }))
    expect(inspect(file, { depth: 9, showHidden: true })).not.toContain(CANARY)
    expect(JSON.stringify([...(file.accounts ?? [])])).not.toContain(CANARY)
  })
})

describe('the files that an access file names', () => {
  it('give the lemlist keys of its accounts', () => {
    const apiKeyFile = fileOf('key-of-sales\n')
    const path = fileOf(
      JSON.stringify({ accounts: { sales: { apiKeyFile }, emea: { apiKey: 'key-of-emea' } } }),
    )
    const keys = readAccountKeys(readAccessFile(path))
    expect([...(keys ?? [])].map(([name, key]) => [name, key.reveal()])).toEqual([
      ['sales', 'key-of-sales'],
      ['emea', 'key-of-emea'],
    ])
    expect(inspectAccessFile(path)).toEqual({ hasAccounts: true, hasCallers: false })
  })

  it('are not there without accounts', () => {
    expect(readAccountKeys(parseAccessFile('{}'))).toBeUndefined()
  })

  it('bring a fault each when they hold no key or cannot be read', () => {
    const accounts = {
      sales: { apiKeyFile: fileOf(`two ${CANARY}`) },
      emea: { apiKeyFile: `/nowhere/${CANARY}` },
    }
    const faults = faultsOf(() => readAccountKeys(parseAccessFile(JSON.stringify({ accounts }))))
    expect(faults).toEqual([
      'accounts.sales.apiKeyFile: the file holds no lemlist API key',
      'accounts.emea.apiKeyFile: the file cannot be read',
    ])
  })

  it('are told with the faults of the configuration', () => {
    expect(inspectAccessFile(`/nowhere/${CANARY}`)).toEqual({
      faults: ['the file: cannot be read'],
    })
    expect(inspectAccessFile(fileOf('{"a": 1}'))).toEqual({
      faults: ['a: is no field of this file'],
    })
  })
})
