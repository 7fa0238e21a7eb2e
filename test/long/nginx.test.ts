import { NGINX } from '../helpers/balancers.ts'
import { describeLoadBalancer } from './load-balancer-contract.ts'

describeLoadBalancer(NGINX)
