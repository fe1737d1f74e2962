# Every command a developer needs. Debian 12 with git and make is enough to begin with.

PRESET ?= release
URL    ?= http://localhost:8080
ADMIN  ?= http://localhost:9901

.DEFAULT_GOAL := help
.PHONY: help deps build run test test-deploy launch-gate smoke bench bench-api abuse brownout fleet contention restarts upgrades overload package fuzz race slowhttp large clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

deps: ## install the Debian and npm packages that are missing to build, run and test
	@deploy/dev/deps.sh build run test fuzz
	@deploy/dev/npm.sh test

build: ## build both programs: build/release/proxy/spillway, build/release/api/scholarship-api
	@deploy/dev/deps.sh build run
	@deploy/dev/npm.sh
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) --target spillway scholarship-api

run: build ## PostgreSQL, API and proxy in the foreground; Ctrl-C stops all
	@exec deploy/dev/run.sh

test: deps ## build and run every test, JOBS=2 at a time; PRESET=asan or tsan for those that a sanitizer can help
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET)
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp" SPILLWAY_BIN_DIR="$(CURDIR)/build/$(PRESET)" tests/with_postgres.sh \
	  ctest --test-dir build/$(PRESET) --output-on-failure -j $(or $(JOBS),2) $(CTEST_FLAGS) $(if $(filter-out release,$(PRESET)),-LE once)

smoke: deps ## try a running stack with curl: URL=http://localhost:8080 ADMIN=http://localhost:9901
	@URL=$(URL) ADMIN=$(ADMIN) bats tests/smoke/stack.bats

bench: build ## compare with nginx, HAProxy and nghttpx: ROUNDS=3 DURATION=5 SCENARIOS=tcp,unix,many,refusal,bodies,uploads,log,h2,tls,tls_h2,handshake,idle,idle_tls
	@deploy/dev/deps.sh bench
	@exec tests/bench/peers.sh

abuse: build ## most inside the API under resets, and shut windows, beside nginx, HAProxy and nghttpx: ROUNDS=1 ROWS=rapid_reset,made_you_reset,shut_windows
	@deploy/dev/deps.sh bench
	@exec tests/bench/abuse.py

overload: build ## overload lab beside nginx and HAProxy, about 16 minutes: SCENARIOS=steady,mix,… TARGETS=none,nginx,haproxy,spillway
	@deploy/dev/deps.sh bench
	@cmake --build --preset release --target overload_backend overload_load >/dev/null
	@exec python3 -B tests/bench/overload.py

package: deps ## Debian packages in build/release/packages, checked, then installed and started in a fresh Debian
	@deploy/dev/deps.sh package
	@cmake --preset release >/dev/null
	@deploy/dev/package.sh
	@tests/package/install.sh build/release/packages/*.deb

bench-api: build ## the API beside the FastAPI stack that it replaces, about 9 minutes: ROUNDS=3 DURATION=5 SCENARIOS=cost,pgbench,memory,storm,users
	@deploy/dev/deps.sh bench-api
	@exec tests/bench/api.sh

brownout: build ## cheaper answers of the API at 3x, beside shedding alone, about 3 minutes: ROUNDS=5 DURATION=4 SCENARIOS=search,mix TIMES=3
	@exec tests/bench/brownout.sh

fleet: build ## many sidecars in simulation, some minutes: SCENARIOS=balance,tasks,database,loss MOST=10000
	@cmake --build --preset release --target fleet >/dev/null
	@exec build/release/tests/bench/fleet

contention: build ## the admission gate under 1 to 16 threads that do nothing else
	@cmake --build --preset release --target gate_contention >/dev/null
	@exec build/release/tests/bench/gate_contention

restarts: build ## kill PostgreSQL under the API RESTARTS=50 times
	@cmake --build --preset release --target integration_api >/dev/null
	@SPILLWAY_BIN_DIR=build/release RESTARTS=$(or $(RESTARTS),50) tests/with_postgres.sh \
	  build/release/tests/integration/api/integration_api --test-case="PostgreSQL is killed*"

upgrades: build ## replace the proxy under full load UPGRADES=100 times: failed requests, and the limit before and after
	@cmake --build --preset release --target integration_proxy_handover >/dev/null
	@UPGRADES=$(or $(UPGRADES),100) build/release/tests/integration/proxy/integration_proxy_handover --test-case="upgrades under full load*"

fuzz: deps ## fuzz the parsers: SECONDS=60 for each target
	@deploy/dev/deps.sh fuzz
	@exec tests/fuzz/run.sh $(or $(SECONDS),60)

test-deploy: build ## what make test leaves out: dashboards on a real Prometheus, Kubernetes objects, TLS, images (ONLY=name)
	@deploy/dev/deps.sh deploy
	@exec tests/deploy/run.sh $(ONLY)

launch-gate: build ## 50 requests/s for DURATION=15m (or 60s) on PostgreSQL: verdict and pictures in build/reports/
	@deploy/dev/deps.sh deploy
	@exec tests/with_postgres.sh tests/load/gate.py $(or $(DURATION),15m)

race: build ## a million requests through an API that closes connections at random moments: REQUESTS=1000000
	@cmake --build --preset release --target integration_proxy_race >/dev/null
	@SPILLWAY_RACE_REQUESTS=$(or $(REQUESTS),1000000) build/release/tests/integration/proxy/integration_proxy_race

slowhttp: build ## good traffic beside slow heads, slow bodies and slow readers: ROUNDS=3 DURATION=6 MODES=H,B,X
	@deploy/dev/deps.sh bench
	@cmake --build --preset release --target users >/dev/null
	@exec tests/load/slowhttp.sh

large: build ## a GiB up and a GiB down past a side that does not read, in bounded memory
	@cmake --build --preset release --target integration_proxy_bodies >/dev/null
	@SPILLWAY_BODY_MIB=1024 build/release/tests/integration/proxy/integration_proxy_bodies -tc="a slow *"

clean: ## delete build/ and with it the development database
	@test ! -e build/run/postgres || deploy/dev/postgres.sh remove build/run/postgres
	@rm -rf build
