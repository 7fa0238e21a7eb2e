import { VARIABLES } from './variables.ts'

/** Programs know the variables of proxies in both cases. */
const SECRETS = Object.entries(VARIABLES)
  .filter(([, variable]) => 'secret' in variable)
  .flatMap(([name]) => (name.endsWith('_PROXY') ? [name, name.toLowerCase()] : [name]))

/**
 * Removes every variable that is a secret or may hold one. Nothing that prints the environment
 * afterwards can show it.
 *
 * @returns a copy of the environment as it was
 */
export const takeSecrets = (
  env: Record<string, string | undefined>,
): Readonly<Record<string, string | undefined>> => {
  const copy = { ...env }
  for (const name of SECRETS) delete env[name]
  return copy
}
