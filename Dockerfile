# Both stages use the Node version of tools/local-node. test/e2e/dockerfile.test.ts replays this
# file and fails when the versions differ.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
# The lockfile links to tools/local-node. npm must be able to read that folder, but does not install
# it, because only development uses it.
COPY package.json package-lock.json .npmrc ./
COPY tools/local-node ./tools/local-node
RUN npm ci --omit=dev --ignore-scripts
COPY src ./src
# In a checkout that was made with a strict umask, only root could read these files.
RUN chmod -R u=rwX,go=rX package.json src node_modules

FROM node:24.21.0-bookworm-slim
# This HOST is not loopback, so the gateway refuses to start until AUTH is set. That is intended:
# the person who runs the image must decide who may call. During DRAIN_DELAY_MS a load balancer
# notices that the gateway is not ready any more, before the port closes.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 STORE_URL=sqlite:/data/gateway.sqlite DRAIN_DELAY_MS=5000
WORKDIR /app
# The dependencies are copied first, because they change least. A new release then ships only small
# layers.
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/src ./src
# The gateway writes to this folder only. It is made before VOLUME, so that a new named volume gets
# its owner. OpenShift runs the image as a user of its own choice, whose group is always 0.
RUN install -d -o 10001 -g 0 -m 0770 /data /app/compiled
VOLUME ["/data"]
# The user is a number, because runAsNonRoot of Kubernetes cannot check a name.
USER 10001:10001
# Compiled code, which Node keeps for each user: a start takes less time, and an idle gateway 25 MiB
# less memory.
ENV NODE_COMPILE_CACHE=/app/compiled
RUN ["node", "src/precompile.ts"]
# 9090 is for the metrics of operators, when OPS_PORT is set to it.
EXPOSE 8080
EXPOSE 9090
# The check asks whether the gateway is alive, not whether it is ready: trouble of lemlist is no
# reason to restart the gateway. It uses node, because the slim image has no curl.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "src/health-check.ts"]
# node itself is PID 1 and gets SIGTERM. npm or a shell would not pass SIGTERM on.
CMD ["node", "src/main.ts"]
