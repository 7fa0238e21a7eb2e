/** How the OpenAPI document says who may call (OpenAPI 3.1, Security Scheme Object). */

export const SECURITY_SCHEMES = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description:
      'A key (`leg_…`), a JWT of the OpenID provider, or a ticket. With `AUTH=none` nobody needs a credential. Give one credential only: the gateway refuses two at once.',
  },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key', description: 'A key (`leg_…`).' },
  ticket: {
    type: 'apiKey',
    in: 'query',
    name: 'ticket',
    description:
      'A ticket of `POST /tickets`, for EventSource and links, which cannot send headers.',
  },
} as const

/** What a route asks for: one of these, and never two. */
export const SECURITY = {
  credential: [{ bearer: [] }, { apiKey: [] }],
  credentialOrTicket: [{ bearer: [] }, { apiKey: [] }, { ticket: [] }],
} as const
