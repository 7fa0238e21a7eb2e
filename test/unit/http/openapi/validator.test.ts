import { describe, expect, it } from 'vitest'
import { type ZodType, z } from 'zod'
import { inputValidator } from '../../../../src/http/openapi/validator.ts'

const validatorOf = (schema: ZodType, httpPart: string) =>
  inputValidator({ schema, httpPart, method: 'GET', url: '/' })

const optional = z.object({ lines: z.coerce.number().optional() })
const withDefault = z.object({ lines: z.string().default('ten') })
const needed = z.object({ lines: z.string() })

describe('headers for which each text will do', () => {
  const loose = z.object({ one: z.string().optional(), two: z.string().optional() })
  const mixed = z.object({ one: z.string().optional(), two: z.string().min(2).optional() })

  it('are not read by their schema', () => {
    expect(validatorOf(loose, 'headers')({ one: '1', two: '' })).toBe(true)
    expect(validatorOf(mixed, 'headers')({ one: '1' })).toBe(true)
  })

  it('do not keep others from being checked', () => {
    expect(validatorOf(mixed, 'headers')({ one: '1', two: '2' })).toHaveProperty('error')
  })

  it('are checked in a query, where one may come twice', () => {
    expect(validatorOf(loose, 'querystring')({ one: ['1', '2'] })).toHaveProperty('error')
  })
})

describe.each(['querystring', 'headers'])('the %s', (part) => {
  it('goes as it is where nothing is there that the schema knows', () => {
    expect(validatorOf(optional, part)({ other: '1' })).toBe(true)
  })

  it('is read by its schema where something is there that the schema knows', () => {
    expect(validatorOf(optional, part)({ lines: '10' })).toEqual({ value: { lines: 10 } })
    expect(validatorOf(optional, part)({ lines: 'x' })).toHaveProperty('error')
  })

  it('gets the defaults of its schema', () => {
    expect(validatorOf(withDefault, part)({})).toEqual({ value: { lines: 'ten' } })
  })

  it('is refused where something is missing that the schema needs', () => {
    expect(validatorOf(needed, part)({})).toHaveProperty('error')
  })
})
