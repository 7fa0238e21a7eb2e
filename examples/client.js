// In a project of your own, this is the file `/client.js` of your gateway, with `/client.d.ts` beside it.
export * from '../src/client/client.js'
