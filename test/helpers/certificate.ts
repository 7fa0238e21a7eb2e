import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Without openssl there is no certificate to be had; in CI that is a fault of the machine. */
export const hasOpenssl = (): boolean => {
  const found = spawnSync('openssl', ['version']).status === 0
  if (!found && process.env.CI === 'true') throw new Error('openssl is missing')
  return found
}

/**
 * A self-signed certificate with its key, in PEM.
 *
 * @param subjectAltName the names and addresses it is for, as openssl writes them
 */
export const makeCertificate = (subjectAltName: string): { key: Buffer; cert: Buffer } => {
  const directory = mkdtempSync(join(tmpdir(), 'certificate-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const keyFile = join(directory, 'key.pem')
  const certFile = join(directory, 'cert.pem')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', '/CN=lemlist', '-addext', `subjectAltName=${subjectAltName}`]
  const files = ['-keyout', keyFile, '-out', certFile]
  execFileSync('openssl', ['req', '-x509', ...curve, '-days', '1', ...names, ...files], {
    stdio: 'ignore',
  })
  return { key: readFileSync(keyFile), cert: readFileSync(certFile) }
}
