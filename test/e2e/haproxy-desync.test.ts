import { HAPROXY } from '../helpers/balancers.ts'
import { describeDesync } from './desync-contract.ts'

describeDesync(HAPROXY, {
  impatient: {
    'timeout http-request 5s': 'timeout http-request 1s',
    'timeout http-keep-alive 75s': 'timeout http-keep-alive 1s',
    'timeout client 90s': 'timeout client 1s',
  },
  // The last word of a line is the id, and `-` when there is none.
  idIn: (line) => /^127\.0\.0\.1 .* gateways\/gateway-1 \S+ ([^\s-]\S*)$/.exec(line)?.[1],
})
