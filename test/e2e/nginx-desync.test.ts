import { NGINX } from '../helpers/balancers.ts'
import { describeDesync } from './desync-contract.ts'

describeDesync(NGINX, {
  impatient: {
    'keepalive_timeout 75s;':
      'keepalive_timeout 1s; client_header_timeout 1s; client_body_timeout 1s; lingering_timeout 1s;',
  },
  // The last word of a line is the id, and `-` when there is none.
  idIn: (line) => /^\d{4}-.* 127\.0\.0\.1:\d+ \d+ ([^\s-]\S*)$/.exec(line)?.[1],
})
