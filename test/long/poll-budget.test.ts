import { describePollBudget } from '../helpers/poll-budget.ts'

describePollBudget({ pace: 1, least: 0.9 })
