import { writeFileSync } from 'node:fs'
import { configDocs } from './config-docs.ts'

/** Writes docs/configuration.md. */
writeFileSync(new URL('../docs/configuration.md', import.meta.url), configDocs())
