import { z } from 'zod'
import { auth, jwksUrl, LARGEST_LIMIT, origins, ticketSecret, whole, word } from './forms.ts'

/** The variables that say who may call, and from which pages. */
export const ACCESS_VARIABLES = {
  AUTH: {
    schema: auth.optional(),
    about:
      'How callers are authenticated. `none` = they are not, `keys` = by the keys of `ACCESS_FILE`, `jwt` = by tokens of an OpenID provider, `keys,jwt` = by either. When `AUTH` is unset, it is `none` on loopback, as long as `ACCESS_FILE` names no callers and `JWT_JWKS_URL` is unset. Otherwise the gateway refuses to start.',
  },
  ACCESS_FILE: {
    schema: z.string().optional(),
    about:
      'A JSON file of lemlist accounts and callers. The gateway reads it again on `SIGHUP`. Required with `AUTH=keys`. `npm run new-caller -- NAME` makes a key and its entry.',
  },
  JWT_JWKS_URL: {
    schema: jwksUrl.optional(),
    about:
      'Where the OpenID provider shows the keys that check its tokens. `http:` is allowed for loopback only. Required with `AUTH=jwt`, as are the next two.',
  },
  JWT_ISSUER: {
    schema: word.optional(),
    about: 'The claim `iss` of the tokens, exactly.',
  },
  JWT_AUDIENCE: {
    schema: word.optional(),
    about:
      'What the claim `aud` of a token must hold, so that tokens for others are of no use here.',
  },
  JWT_CLAIM_PREFIX: {
    schema: word.optional(),
    about:
      'What stands before the names of the claims `accounts` and `campaigns`, such as `https://gateway.example.com/`.',
  },
  TICKET_SECRET: {
    schema: ticketSecret.optional(),
    secret: true,
    about:
      'The secret that signs tickets, at least 32 bytes. When it is unset, each process makes one of its own. Either this variable or `TICKET_SECRET_FILE` is required with Redis, unless `AUTH` is `none`.',
  },
  TICKET_SECRET_FILE: {
    schema: z.string().optional(),
    about: 'A file that holds the secret of tickets. The gateway reads it again on `SIGHUP`.',
  },
  CORS_ORIGINS: {
    schema: origins.optional(),
    about:
      'The origins of pages that may call the gateway from a browser, separated by commas, such as `https://app.example.com`. When it is unset, only pages of the same origin may.',
  },
  CALLER_RATE_LIMIT: {
    schema: whole(1, LARGEST_LIMIT),
    default: '600',
    about: 'How many requests one authenticated caller may send to one replica in a minute.',
  },
} as const
