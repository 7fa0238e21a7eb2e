import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
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

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']

interface SignedCertificate {
  readonly key: Buffer
  readonly cert: Buffer
  /** It is not called `ca`: a server with that option would send the authority along. */
  readonly authority: Buffer
  /** A PEM file of the authority, for `NODE_EXTRA_CA_CERTS`. */
  readonly authorityFile: string
}

/** Makes an authority, and a certificate that it has signed, as a company does for its own servers. */
export const makeSignedCertificate = (subjectAltName: string): SignedCertificate => {
  const directory = mkdtempSync(join(tmpdir(), 'authority-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const caKey = join(directory, 'ca.key')
  const authorityFile = join(directory, 'ca.pem')
  const keyFile = join(directory, 'key.pem')
  const certFile = join(directory, 'cert.pem')
  const make = (...args: readonly string[]) =>
    execFileSync('openssl', ['req', '-x509', ...CURVE, ...args], { stdio: 'ignore' })
  make('-subj', '/CN=a company', '-keyout', caKey, '-out', authorityFile)
  const names = ['-subj', '/CN=lemlist', '-addext', `subjectAltName=${subjectAltName}`]
  make('-CA', authorityFile, '-CAkey', caKey, ...names, '-keyout', keyFile, '-out', certFile)
  return {
    key: readFileSync(keyFile),
    cert: readFileSync(certFile),
    authority: readFileSync(authorityFile),
    authorityFile,
  }
}

/** Until the test ends, this process trusts these certificates as authorities, and no others. */
export const trust = (...certificates: readonly Buffer[]): void => {
  const before = getCACertificates('default')
  setDefaultCACertificates(certificates.map(String))
  onTestFinished(() => setDefaultCACertificates(before))
}
