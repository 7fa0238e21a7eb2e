# The Node of tools/local-node, pinned in both stages; the replay in test/e2e/dockerfile.test.ts holds them together.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
# The lockfile links to tools/local-node, which is development only: npm reads it and leaves it out.
COPY package.json package-lock.json .npmrc ./
COPY tools/local-node ./tools/local-node
RUN npm ci --omit=dev --ignore-scripts
COPY src ./src
# Out of a checkout made under a strict umask, nobody but root could read these files.
RUN chmod -R u=rwX,go=rX package.json src node_modules

FROM node:24.21.0-bookworm-slim
# HOST reaches beyond loopback, so the gateway refuses to start until AUTH says who may call. That is wanted.
# A load balancer needs DRAIN_DELAY_MS to notice that readiness is off before the port closes.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 STORE_URL=sqlite:/data/gateway.sqlite DRAIN_DELAY_MS=5000
WORKDIR /app
# Dependencies first: they change least, and a release then ships one small layer.
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/src ./src
# The one place that is written to. Made before VOLUME, so that a new named volume inherits its owner.
RUN install -d -o 10001 -g 10001 -m 0700 /data
VOLUME ["/data"]
# A number, since Kubernetes' runAsNonRoot cannot judge a name.
USER 10001:10001
EXPOSE 8080
# Alive, not ready: an upstream in trouble is no reason to restart. The slim image has no curl.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# node itself is PID 1 and gets SIGTERM; npm or a shell would swallow it.
CMD ["node", "src/main.ts"]
