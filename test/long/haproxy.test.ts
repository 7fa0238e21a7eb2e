import { HAPROXY } from '../helpers/balancers.ts'
import { describeLoadBalancer } from './load-balancer-contract.ts'

describeLoadBalancer(HAPROXY)
