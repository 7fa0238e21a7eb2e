import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../../src/client/client.js'

interface Links {
  refsIn(text: string): ExportRef[]
  restOf(text: string): string[]
  campaignsIn(text: string): string[]
}
// The page's modules have no declarations, so the import has an address that TypeScript cannot see.
const address = new URL('../../../src/page/links.js', import.meta.url).href
const { refsIn, restOf, campaignsIn }: Links = await import(address)

const A = { campaignId: 'cam_a', exportId: 'axp_b' }
const C = { campaignId: 'cam_c', exportId: 'axp_d' }

describe('what somebody pastes into the field of the page', () => {
  it.each([
    ['both ids', 'cam_a/axp_b', [A]],
    ['both ids with a space', 'cam_a axp_b', [A]],
    ['a comma between', 'cam_a, axp_b', [A]],
    ['a slash with spaces', 'cam_a / axp_b', [A]],
    ['a link to the page', 'http://localhost:1/#cam_a/axp_b', [A]],
    ['a path of the API', '/campaigns/cam_a/export/axp_b/status', [A]],
    ['several, and one of them twice', 'cam_a/axp_b, cam_c/axp_d cam_a/axp_b', [A, C]],
    ['a status of lemlist', '{"ok":true,"status":{"_id":"axp_b","x":1,"campaignId":"cam_a"}}', [A]],
    ['nothing', ' ', []],
    ['a campaign alone', 'cam_a', []],
    ['two campaigns', 'cam_a cam_c', []],
    ['an id that is too long', `cam_a/axp_${'a'.repeat(65)}`, []],
    ['markup', '<img src=x onerror=alert(1)>', []],
    ['broken JSON', '{"campaignId":', []],
  ])('is read: %s', (_, text, expected) => {
    expect(refsIn(text)).toEqual(expected)
  })

  it.each([
    ['all of it is taken', 'cam_a/axp_b http://localhost:1/#cam_c/axp_d', []],
    ['one is malformed', 'cam_a/axp_b cam_c/axp_d cam_e/axp-f', ['cam_e/axp-f']],
  ])('is not lost: %s', (_, text, rest) => {
    expect(restOf(text)).toEqual(rest)
  })

  it.each([
    ['an id', 'cam_a', ['cam_a']],
    ['a link to the page', 'http://localhost:1/#cam_a', ['cam_a']],
    ['a path of the API', '/campaigns/cam_a/exports', ['cam_a']],
    ['beside an export', 'cam_a/axp_b cam_c', ['cam_c']],
    ['several, and one of them twice', 'cam_a cam_c, cam_a', ['cam_a', 'cam_c']],
    ['an export', 'cam_a/axp_b', []],
    ['a malformed export', 'cam_a/axp-b', []],
    ['an id with a foreign sign', 'cam_a!', []],
  ])('names a campaign: %s', (_, text, expected) => {
    expect(campaignsIn(text)).toEqual(expected)
  })
})
