import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Whether openssl is there to make a certificate. @throws in CI, where it must be installed */
export const hasOpenssl = (): boolean => {
  const found = spawnSync('openssl', ['version']).status === 0
  if (!found && process.env.CI === 'true') throw new Error('openssl is missing')
  return found
}

/**
 * Makes a self-signed certificate and its key, both in PEM.
 * @param subjectAltName the names and addresses of the certificate, in the syntax of openssl
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
