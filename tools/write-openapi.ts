import { writeFileSync } from 'node:fs'
import { openApiDocument } from './openapi-document.ts'

/** Writes the committed copy of the OpenAPI document. */
writeFileSync(new URL('../openapi/openapi.json', import.meta.url), await openApiDocument())
