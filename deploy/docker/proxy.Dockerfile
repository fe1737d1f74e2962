# The proxy. Build from the root of the repository:
#
#   docker build -f deploy/docker/proxy.Dockerfile -t spillway .
#
# The image holds the program and its libraries, no shell: rootfs.sh makes it and its list of packages (usr/share/sbom).
# BASE, which builds it, is any Debian 12 with apt sources, also one of your own (debootstrap, `podman import`).
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
COPY deploy/dev/deps.sh deploy/dev/packages.txt /src/deploy/dev/
RUN /src/deploy/dev/deps.sh build
WORKDIR /src
COPY . .
RUN deploy/dev/npm.sh && cmake --preset release >/dev/null \
 && cmake --build --preset release --target spillway \
 && deploy/docker/rootfs.sh build/release/proxy/spillway /rootfs node-llhttp libboost1.81-dev libcli11-dev \
 && install -D -m 0644 deploy/dev/npm/node_modules/uplot/LICENSE /rootfs/usr/share/doc/uplot/copyright \
 && install -D -m 0644 config/proxy.yaml /rootfs/etc/spillway/proxy.yaml \
 && install -d /run-of-image/app

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="spillway" \
      org.opencontainers.image.description="Reverse proxy that keeps one API alive under overload" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.documentation="config/REFERENCE.md"
COPY --from=build /rootfs /
COPY --from=build --chown=10001:10001 /run-of-image /run
ENV PATH=/usr/bin
USER 10001:10001
EXPOSE 8080 9901
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=2s --start-period=10s CMD ["/usr/bin/spillway", "healthcheck"]
ENTRYPOINT ["/usr/bin/spillway"]
CMD ["--config", "/etc/spillway/proxy.yaml"]
