# The API. Build from the root of the repository:
#
#   docker build -f deploy/docker/api.Dockerfile -t scholarship-api .
#
# The image holds the program and its libraries, no shell: rootfs.sh makes it and its list of packages (usr/share/sbom).
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
 && deploy/docker/rootfs.sh build/release/api/scholarship-api /rootfs libboost1.81-dev libcli11-dev \
 && install -D -m 0644 config/api.yaml /rootfs/etc/scholarship-api/api.yaml \
 && install -d /run-of-image/app

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="scholarship-api" \
      org.opencontainers.image.description="The API that Spillway was built for" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.documentation="api/README.md"
COPY --from=build /rootfs /
COPY --from=build --chown=10001:10001 /run-of-image /run
ENV PATH=/usr/bin
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/scholarship-api"]
CMD ["--config", "/etc/scholarship-api/api.yaml"]
