/** One object for each account, made when it is asked for the first time. */
export interface PerAccount<T> {
  of(account: string): T
  /** All objects that were made so far. */
  all(): readonly T[]
}

export const perAccount = <T>(create: (account: string) => T): PerAccount<T> => {
  const made = new Map<string, T>()
  return {
    of: (account) => {
      const known = made.get(account)
      if (known !== undefined) return known
      const one = create(account)
      made.set(account, one)
      return one
    },
    all: () => [...made.values()],
  }
}
