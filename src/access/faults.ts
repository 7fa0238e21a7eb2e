import type { z } from 'zod'

/** Turns what zod found in the access file into `path: message`, without a value of the file. */

type Issue = z.core.$ZodIssue

/** A field whose name is longer or looks unusual may be a key that was pasted in the wrong place. */
const SHOWN = /^[A-Za-z0-9-]{1,63}$/
const HIDDEN = '(a name that is not shown)'

export const faultsOf = (issues: readonly Issue[]): string[] => issues.flatMap(toFaults)

const toFaults = (issue: Issue): string[] => {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((field) => `${at([...issue.path, field])}: is no field of this file`)
    case 'invalid_key':
      return issue.issues.map(({ message }) => `${at(issue.path)}: ${message}`)
    case 'invalid_type':
      return [`${at(issue.path)}: ${typeFault(issue.expected)}`]
    default:
      return [`${at(issue.path)}: ${issue.message}`]
  }
}

const TYPES: Readonly<Record<string, string>> = { array: 'a list', string: 'a string' }

const typeFault = (expected: string): string => `must be ${TYPES[expected] ?? 'an object'}`

const at = (path: readonly PropertyKey[]): string =>
  path.length === 0 ? 'the file' : path.map((part) => shown(String(part))).join('.')

const shown = (part: string): string => (SHOWN.test(part) ? part : HIDDEN)
