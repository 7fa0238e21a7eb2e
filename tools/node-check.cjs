'use strict'

/**
 * Ends the process with a message when this Node cannot run the project. The npm scripts load this
 * file before the first TypeScript file. Without it, Node 20 reports an obscure
 * ERR_UNKNOWN_FILE_EXTENSION. Node 23 and Node 24.0 to 24.2 do not set `import.meta.main` in a
 * TypeScript file, so they run nothing and exit with 0.
 *
 * An old Node has to be able to run this file, so it is plain CommonJS without any library.
 */

const { writeSync } = require('node:fs')
const { join } = require('node:path')

/**
 * Tells whether the project runs on this version. `engines.node` in package.json names the same
 * range.
 *
 * @param {string} version such as `24.21.0`
 */
const isSupported = (version) => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return (major === 22 && minor >= 19) || (major === 24 && minor >= 3) || major > 24
}

if (!isSupported(process.versions.node)) {
  // This write is synchronous, so that the process cannot exit before the text is out.
  writeSync(
    2,
    `This project needs Node 24.3 or newer, or Node 22.19 or a newer 22.
This is Node ${process.versions.node}: ${process.execPath}
On Linux, \`npm ci\` installs a Node 24 that the npm scripts use by themselves.
On another system, install Node 24 first: https://nodejs.org/en/download
`,
  )
  process.exit(1)
}

// Code that is compiled once, with its types stripped, is used again by the next start of this installation.
const { enableCompileCache } = require('node:module')
enableCompileCache?.(join(__dirname, '../node_modules/.cache/compiled'))

// npm sets this variable for the scripts that it runs. Tests load this file for its function only.
if (process.env.npm_lifecycle_event && process.execArgv.includes('./tools/node-check.cjs')) {
  require('./npm-parent.cjs').followParent()
}

module.exports = { isSupported }
