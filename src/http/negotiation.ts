import type { FastifyReply } from 'fastify'

/** Adds names to `Vary`. Other parts of the gateway may have set some before. */
export const varyBy = (reply: FastifyReply, names: string): void => {
  reply.header('vary', variedBy(reply.getHeader('vary'), names))
}

/** The `Vary` that has these names, too. */
export const variedBy = (before: string | number | string[] | undefined, names: string): string =>
  before === undefined ? names : `${String(before)}, ${names}`

const REFUSED = /^q=0(\.0{0,3})?$/i

/**
 * Whether a client takes gzip (RFC 9110, 12.5.3). One that says nothing gets the plain form.
 *
 * @param accepted the header `Accept-Encoding`
 */
export const takesGzip = (accepted: string | string[] | undefined): boolean =>
  [accepted ?? []]
    .flat()
    .join()
    .split(',')
    .some((range) => {
      const [coding = '', ...parameters] = range.split(';').map((part) => part.trim())
      return coding.toLowerCase() === 'gzip' && !parameters.some((one) => REFUSED.test(one))
    })
