import { pino } from 'pino'
import { createApp } from '../src/app.ts'
import { loadConfig } from '../src/config/config.ts'

/** Returns the document as the gateway serves it, with a newline at its end, as files have it. */
export const openApiDocument = async (): Promise<string> => {
  const config = loadConfig({ LEMLIST_API_KEY: 'none', STORE_URL: 'memory:' })
  const app = await createApp({ config, logger: pino({ level: 'silent' }) })
  try {
    await app.server.ready()
    return `${JSON.stringify(app.server.swagger(), undefined, 2)}\n`
  } finally {
    await app.close()
  }
}
