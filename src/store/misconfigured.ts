/**
 * The store cannot be used until the operator changes a setting. Waiting does not help. The message
 * names the variable, and shows neither its value nor any text of the server.
 */
export class StoreMisconfigured extends Error {
  override readonly name = 'StoreMisconfigured'
}
