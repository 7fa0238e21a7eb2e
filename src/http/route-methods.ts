import type { FastifyInstance } from 'fastify'

/** Tells the methods of the route that serves a path, sorted; none when there is no such route. */
export type MethodsOf = (path: string) => readonly string[]

/** Notes every route that is registered from now on. */
export const noteMethods = (app: FastifyInstance): MethodsOf => {
  const routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() }
    for (const one of [method].flat()) route.methods.add(one)
    routes.set(url, route)
  })
  return (path) => {
    const methods = new Set(
      [...routes.values()].flatMap((route) => (route.pattern.test(path) ? [...route.methods] : [])),
    )
    // Fastify registers `/docs` with a twin `/docs/`, and reports only the HEAD of that twin to the
    // hook above. Every HEAD has its GET, so GET is added here.
    if (methods.has('HEAD')) methods.add('GET')
    return [...methods].sort()
  }
}

const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .replace(/[.+?^$()[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replace(/:[A-Za-z]+/g, '[^/]*')}$`,
  )
