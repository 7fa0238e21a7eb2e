/** What a request is counted by. Callers can choose the method only, and metrics.ts bounds those. */
type Make<Series> = (route: string, method: string, status: number) => Series

/** The series of requests. A request finds its own without making a text of its labels. */
export interface RequestSeries<Series> {
  of(route: string, method: string, status: number): Series
  all(): readonly Series[]
}

export const createRequestSeries = <Series>(make: Make<Series>): RequestSeries<Series> => {
  const all: Series[] = []
  const routes = new Map<string, Map<number, Map<string, Series>>>()

  const begin = (route: string, method: string, status: number): Series => {
    const series = make(route, method, status)
    all.push(series)
    const statuses = routes.get(route) ?? new Map<number, Map<string, Series>>()
    const methods = statuses.get(status) ?? new Map<string, Series>()
    routes.set(route, statuses.set(status, methods.set(method, series)))
    return series
  }

  return {
    of: (route, method, status) =>
      routes.get(route)?.get(status)?.get(method) ?? begin(route, method, status),
    all: () => all,
  }
}
