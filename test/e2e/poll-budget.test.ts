import { describePollBudget } from '../helpers/poll-budget.ts'

describePollBudget({ pace: 4, least: 0.8 })
