/**
 * The `servers` of the document. OpenAPI resolves the URL against the URL of the document itself, so
 * that the document also holds when a proxy serves the gateway below a path.
 *
 * @param url the root of the gateway, seen from the document
 */
export const serversAt = (url: string) => [{ url, description: 'This gateway.' }]
