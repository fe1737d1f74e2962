# The API. Build from the root of the repository:
#
#   docker build -f deploy/docker/api.Dockerfile -t scholarship-api .
#
# No HEALTHCHECK: the proxy polls the API's health. It needs DATABASE_URL and API_AUTH_SECRET.
# `migrate` makes the tables, `seed-demo` the demo data.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
COPY deploy/dev/deps.sh deploy/dev/packages.txt /src/deploy/dev/
RUN /src/deploy/dev/deps.sh build
WORKDIR /src
COPY . .
RUN deploy/dev/npm.sh && cmake --preset release >/dev/null \
 && cmake --build --preset release --target scholarship-api \
 && strip -o /scholarship-api build/release/api/scholarship-api

FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      libyaml-cpp0.7 libspdlog1.10 libpq5 libssl3 libsodium23 libjwt0 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && groupadd --gid 10001 spillway && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin spillway \
 && install -d -o 10001 -g 10001 /run/app
COPY --from=build /scholarship-api /usr/bin/scholarship-api
COPY config/api.yaml /etc/scholarship-api/api.yaml
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/scholarship-api"]
CMD ["--config", "/etc/scholarship-api/api.yaml"]
