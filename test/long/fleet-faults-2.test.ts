import { describeSchedules } from './fleet-faults.ts'

describeSchedules(2)
