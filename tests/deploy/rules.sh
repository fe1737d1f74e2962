#!/usr/bin/env bash
# Prometheus' configuration, rules and their cases; the compose file; every YAML file of deploy/.
set -euo pipefail

cd "$(dirname "$0")/../../deploy"
promtool check config prometheus/prometheus.yml
promtool test rules prometheus/tests/*.yml
API_AUTH_SECRET=for-this-check-only docker-compose --profile load -f compose.yaml config -q
yamllint -c .yamllint .
"${SPILLWAY_BIN_DIR:-../build/release}/proxy/spillway" --config kubernetes/examples/front/proxy.yaml --check-config
for config in docker/config kubernetes/base/config; do
  "${SPILLWAY_BIN_DIR:-../build/release}/proxy/spillway" --config "$config/proxy.yaml" --check-config
  DATABASE_URL=postgresql:///x API_AUTH_SECRET=for-this-check-only-for-this-check-only \
    "${SPILLWAY_BIN_DIR:-../build/release}/api/scholarship-api" --config "$config/api.yaml" --check-config
done
