/** Prints what was measured. A test that passes does not show how close the limit was. */
export const measured = (what: string): void => void process.stdout.write(`measured: ${what}\n`)
