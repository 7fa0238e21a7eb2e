/**
 * All faults of the environment at once. Each fault names its variable and never shows the value.
 */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}
