import { newCaller } from './access/new-caller.ts'

/** Makes the key of a caller: `npm run new-caller -- NAME`, or `node src/new-caller.ts NAME`. */
const [name, ...more] = process.argv.slice(2)
const text = name === undefined || more.length > 0 ? undefined : newCaller(name)
if (text === undefined) {
  process.stderr.write(
    'Usage: npm run new-caller -- NAME\nNAME is 1 to 63 lower-case letters, digits and -, and does not begin with -.\n',
  )
  process.exitCode = 64
} else {
  process.stdout.write(`${text}\n`)
}
