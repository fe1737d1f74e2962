# The proxy. Build from the root of the repository:
#
#   docker build -f deploy/docker/proxy.Dockerfile -t spillway .
#
# BASE is any Debian 12 with apt sources, also one of your own (debootstrap, `podman import`).
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
COPY deploy/dev/deps.sh deploy/dev/packages.txt /src/deploy/dev/
RUN /src/deploy/dev/deps.sh build
WORKDIR /src
COPY . .
RUN deploy/dev/npm.sh && cmake --preset release >/dev/null \
 && cmake --build --preset release --target spillway \
 && strip -o /spillway build/release/proxy/spillway

FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      libyaml-cpp0.7 libprometheus-cpp-core1.0 libspdlog1.10 libre2-9 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && groupadd --gid 10001 spillway && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin spillway \
 && install -d -o 10001 -g 10001 /run/app
COPY --from=build /spillway /usr/bin/spillway
COPY config/proxy.yaml /etc/spillway/proxy.yaml
USER 10001:10001
EXPOSE 8080 9901
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=2s --start-period=10s CMD ["/usr/bin/spillway", "healthcheck"]
ENTRYPOINT ["/usr/bin/spillway"]
CMD ["--config", "/etc/spillway/proxy.yaml"]
