// @ts-check

/** How the page's modules find and change what index.html holds. */

/**
 * @template {Element} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 * @throws {Error} when `parent` has no such element of this type
 */
export const part = (parent, selector, type) => {
  const found = parent.querySelector(selector)
  if (!(found instanceof type)) throw new Error(`the page has no ${selector}`)
  return found
}

/** @param {string} selector */
export const element = (selector) => part(document, selector, HTMLElement)

/** @param {string} selector of a template that holds one list item */
export const copyOf = (selector) => {
  const copy = document.importNode(part(document, selector, HTMLTemplateElement).content, true)
  return part(copy, 'li', HTMLLIElement)
}

/**
 * Writes a text only when it differs. To write an equal text again would make the page flicker, and
 * a screen reader would begin to read it again.
 *
 * @param {Element} target
 * @param {string} text
 */
export const write = (target, text) => {
  if (target.textContent !== text) target.textContent = text
}

/** How many announcements the page keeps. A screen reader has taken over the older ones. */
const KEPT_NEWS = 20

/** @param {string} text that screen readers read out, also when it is the same as the last one */
export const announce = (text) => {
  if (text === '') return
  const news = element('#announcer')
  const line = document.createElement('p')
  line.textContent = text
  news.append(line)
  if (news.children.length > KEPT_NEWS) news.firstElementChild?.remove()
}

/**
 * Shows another of the symbols in index.html.
 *
 * @param {Element} parent
 * @param {string} name
 */
export const sign = (parent, name) =>
  part(parent, 'use', SVGUseElement).setAttribute('href', `#i-${name}`)
