# Every verb of the project; `make` prints them. CI calls `make test` and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export GATEHOUSE_CACHE ?= $(HOME)/.cache/gatehouse
export CARGO_TERM_COLOR ?= auto

CRATES := $(patsubst crates/%,-p %,$(wildcard crates/*))
WASM_TARGET := wasm32-wasip1
WASM_DIR := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)/$(WASM_TARGET)/wasm
WASM_LIMIT := 1572864
# No path of the building machine in what ships.
WASM_FLAGS := --remap-path-prefix=$(CURDIR)=/gatehouse --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
WASM_FLAGS += --remap-path-prefix=$(shell rustc --print sysroot 2>/dev/null)=/rust
STAGE := tests/tools/stage

##@ Use
help: ## Print the verbs
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build all, run a real Envoy with the gate and the house, a minute of mixed traffic; HOLD=1 stays up
	@tests/demo/run

##@ Build
build: wasm ## The filter (wasm) and the sidecar (release)
	cargo build --release -p gatehouse

wasm: ## The filters, as shipped; one above 1.5 MiB fails
	@RUSTFLAGS="$(WASM_FLAGS)" cargo build --profile wasm --target $(WASM_TARGET) -p gatehouse-http -p gatehouse-tcp
	@for filter in gatehouse_http gatehouse_tcp; do size=$$(stat -c %s $(WASM_DIR)/$$filter.wasm); \
	echo "$$filter.wasm: $$size bytes (limit $(WASM_LIMIT))"; test $$size -lt $(WASM_LIMIT) || exit 1; done

image: wasm ## OCI image layouts of both filters and the house, without a container engine, reproducible: target/image, digests.json
	@cargo build -q --release -p gatehouse
	@deploy/image/build $(WASM_DIR) $(or $(CARGO_TARGET_DIR),target)/release/gatehouse $(or $(CARGO_TARGET_DIR),target)/image

chart: ## The Helm chart, a repository's index, its OCI layout: target/chart (Go for helm; two minutes when cold; CHART_URL=where it will be served)
	@HELM=$$(tests/tools/get-helm | tail -n 1) deploy/helm/package $(or $(CARGO_TARGET_DIR),target)/chart $(if $(CHART_URL),--url $(CHART_URL))

package: wasm ## Debian package and tarball for a virtual machine: target/package
	@cargo build -q --release -p gatehouse
	@deploy/vm/package $(WASM_DIR) $(or $(CARGO_TARGET_DIR),target)/release/gatehouse $(or $(CARGO_TARGET_DIR),target)/package

wasm-trap: ## The filter with a trap on request, for the reload test; never shipped
	@RUSTFLAGS="$(WASM_FLAGS)" cargo build --profile wasm --target $(WASM_TARGET) -p gatehouse-http --features test-trap --target-dir $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)/trap

next: ## Filter and sidecar as a next release would be, one version of protocol and image up, for the tests of mixed versions; never shipped
	@RUSTFLAGS="$(WASM_FLAGS)" cargo build --profile wasm --target $(WASM_TARGET) -p gatehouse-http --features test-next --target-dir $(or $(CARGO_TARGET_DIR),target)/next
	@cargo build -p gatehouse --features test-next
	@install -D $(or $(CARGO_TARGET_DIR),target)/debug/gatehouse $(or $(CARGO_TARGET_DIR),target)/next/gatehouse
	@cargo build -q -p gatehouse

house: ## The sidecar, as the tests run it
	@cargo build -p gatehouse

proto: ## Make the generated code of proto/ anew
	cargo run -q -p gatehouse-codegen

reference: ## Make the reference of the policy language, its JSON Schema and its Kubernetes resource anew
	cargo run -q -p gatehouse-policy-reference

##@ Prove
test: ## Everything that can be proved in one verb; installs what it needs on Debian
	@$(STAGE) --begin
	@$(STAGE) setup 300 -- tests/tools/setup
	@$(STAGE) check 900 -- $(MAKE) check
	@$(STAGE) unit 900 -- $(MAKE) unit
	@$(STAGE) instructions 420 -- $(MAKE) instructions
	@$(STAGE) fuzz 540 -- $(MAKE) fuzz
	@$(STAGE) wasm 600 -- $(MAKE) wasm wasm-trap
	@$(STAGE) scripted-host 300 -- $(MAKE) scripted-host
	@$(STAGE) e2e 1500 -- $(MAKE) e2e
	@$(STAGE) faults 900 -- $(MAKE) faults
	@$(STAGE) mesh 2100 --tolerate 3 "ok, but some could not be had (see above)" -- tests/tools/mesh
	@$(STAGE) --end

unit: ## Unit, property and process tests of the crates and the sidecar: the inner loop
	@cargo test -q $(CRATES) --features gatehouse-policy/yaml -p gatehouse-filter -p gatehouse-http -p gatehouse-tcp -p gatehouse-codegen -p gatehouse-policy-reference -p gatehouse-demo -p gatehouse-corpora -p gatehouse-bench -p gatehouse-bench-gateway -p gatehouse-bench-house -p gatehouse-faults
	@cargo test -q -p gatehouse --lib --bins --test alerts --test command --test door --test gates --test brake --test geo --test lists --test mode --test rollout --test verdicts

scripted-host: wasm ## The built .wasm under a scripted host
	@cargo test -q -p gatehouse-scripted-host

e2e: wasm wasm-trap next house ## End to end: real Envoy by func-e, real Kafka, real house
	@cargo test -q -p gatehouse-support
	@cargo test -q -p gatehouse --test kafka_sink
	@tests/tools/run-e2e

otel: ## The OTLP sink before a real OpenTelemetry Collector, by HTTP and by gRPC with renewed trust (Go; minutes when cold)
	@OTELCOL_PATH=$$(tests/tools/get-otelcol | tail -n 1) cargo test -q -p gatehouse --test otlp_collector

faults: wasm wasm-trap house ## Real faults on real processes, every record accounted for; FULL=1 repeats more, ONLY="NAME …", ACCEPT=1 writes docs/reliability.md
	@tests/tools/faults

mesh: wasm wasm-trap house ## The shipped manifests under the real control plane: kube-apiserver, istiod, Istio's agent, Envoy (Go; twenty minutes when cold; ONLY="gateway …")
	@tests/tools/mesh $(ONLY)

soak: wasm ## A million requests, then twenty minutes at 2,000 a second to a file and to Kafka: memory, files, spool, books (half an hour; release build; SOAK_MINUTES)
	@cargo build -q --release -p gatehouse
	@export GATEHOUSE_BIN=$(abspath $(or $(CARGO_TARGET_DIR),target))/release/gatehouse; tests/tools/run-e2e soak steady -- --ignored --nocapture --test-threads 1

load: wasm house ## A policy of 1,000 rules and 100,000 networks comes into force: the longest step that holds a worker
	@tests/tools/run-e2e load -- --ignored --nocapture

fuzz: ## Every fuzz target for ten seconds; FUZZ_SECONDS=600 TARGET=path, or INPUT=FILE to see a crash again
	@cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	@tests/tools/fuzz

crd-check: ## The Kubernetes resource and every long form, by the API server's own code (Go; minutes when cold)
	@go -C tests/kube-schema build -o "$(GATEHOUSE_CACHE)/kube-schema" .
	@cargo run -q -p gatehouse-policy-reference -- long crates/gatehouse-policy/testdata/good/*.yaml deploy/policies/*.yaml | "$(GATEHOUSE_CACHE)/kube-schema" deploy/crd/policies.gatehouse.dev.yaml

crd-apiserver: ## The same by a real kube-apiserver: registers the resource, creates good and bad policies (ten minutes when cold)
	@cargo run -q -p gatehouse-policy-reference -- long crates/gatehouse-policy/testdata/good/*.yaml deploy/policies/*.yaml | tests/tools/crd-apiserver

envoy-matrix: wasm house ## Traffic, a block and a record on each Envoy we say we run on
	@tests/tools/envoy-matrix

check: ## Format, lints, borders, licences, docs, wasm32 build of every crate
	@cargo fmt --all --check
	@cargo clippy -q --workspace --all-targets -- -D warnings
	@cargo build -q --target $(WASM_TARGET) $(CRATES)
	@cargo check -q -p gatehouse --no-default-features
	@RUSTDOCFLAGS="-D warnings" cargo doc -q --no-deps $(CRATES) -p gatehouse
	@tests/tools/deny

##@ Measure
instructions: ## Instructions of a decision and its parts, against docs/performance.md: +3 % fails
	@cargo run -q --profile bench -p gatehouse-bench --bin instructions

instructions-accept: ## Write that table anew; say why in the commit
	@cargo run -q --profile bench -p gatehouse-bench --bin instructions accept

bench-decision: ## Nanoseconds of a decision and its parts, then median to p99.9 call by call (minutes; a busy machine only adds)
	@cargo bench -q -p gatehouse-bench --bench calls
	@cargo run -q --profile bench -p gatehouse-bench --bin tail

bench: wasm empty-filter ## CPU, rate, latency and memory of a real Envoy with the gate, without it and with its rivals: target/bench/gateway.{json,svg} (an hour and a half; BENCH="ROUNDS SECONDS REQUESTS")
	@cargo build -q --release -p gatehouse -p gatehouse-bench-gateway
	@export GATEHOUSE_BIN=$(or $(CARGO_TARGET_DIR),target)/release/gatehouse ENVOY_PATH=$$(tests/tools/get-envoy "$$(cat tests/tools/envoy-version)" | tail -n 1); \
	$(or $(CARGO_TARGET_DIR),target)/release/gatehouse-bench-gateway $(BENCH)

bench-check: wasm empty-filter house ## The harnesses themselves, in minutes: every variant, the same verdicts, limits of the rivals; every record at every sink; ONLY=gateway, ONLY=house; their figures say nothing
	@export ENVOY_PATH=$$(tests/tools/get-envoy "$$(cat tests/tools/envoy-version)" | tail -n 1); \
	for harness in $(or $(ONLY),gateway house); do cargo test -q -p gatehouse-bench-$$harness -- --ignored; done

empty-filter:
	@RUSTFLAGS="$(WASM_FLAGS)" cargo build -q --profile wasm --target $(WASM_TARGET) -p gatehouse-bench-empty-filter

bench-house: wasm ## CPU an event in the house by stage and with each sink, backlog drain, delay to Kafka: target/bench/house.json (minutes; release build; HOUSE="EVENTS ROUNDS SECONDS")
	@cargo build -q --release -p gatehouse -p gatehouse-bench-house
	@export GATEHOUSE_BIN=$(or $(CARGO_TARGET_DIR),target)/release/gatehouse ENVOY_PATH=$$(tests/tools/get-envoy "$$(cat tests/tools/envoy-version)" | tail -n 1); \
	$(or $(CARGO_TARGET_DIR),target)/release/gatehouse-bench-house house $(HOUSE)

bench-loop: wasm ## From a verdict, and from a policy file, to every worker of a real Envoy; the longest step of a load: target/bench/loop.json (a minute or two; release build; LOOP=REPETITIONS)
	@cargo build -q --release -p gatehouse -p gatehouse-bench-house
	@export GATEHOUSE_BIN=$(or $(CARGO_TARGET_DIR),target)/release/gatehouse ENVOY_PATH=$$(tests/tools/get-envoy "$$(cat tests/tools/envoy-version)" | tail -n 1); \
	$(or $(CARGO_TARGET_DIR),target)/release/gatehouse-bench-house loop $(LOOP)

bench-guard: wasm ## CPU of a guard and of HAProxy for the same bytes and handshakes, memory of ten thousand idle connections, CPU of the filter of connections beside RBAC (minutes; release build)
	@cargo build -q --release -p gatehouse
	@export GATEHOUSE_BIN=$(abspath $(or $(CARGO_TARGET_DIR),target))/release/gatehouse; tests/tools/run-e2e guard_cost tcp_cost -- --ignored --nocapture --test-threads 1

bench-growth: ## How cost grows with rules, list entries, clients, headers, record rate: tables, target/bench/growth-*.svg, growth.json; what grows faster than expected fails (ten minutes and the build; TOPICS="rules lists clients headers records")
	@topics="$(or $(TOPICS),rules lists clients headers records)"; status=0; inside="$${topics//records/}"; \
	if [ -n "$${inside// /}" ]; then cargo run -q --profile bench -p gatehouse-bench --bin growth -- $$inside || status=$$?; fi; \
	if [[ " $$topics " == *" records "* ]]; then \
	  cargo build -q --release -p gatehouse -p gatehouse-bench-house; \
	  export GATEHOUSE_BIN=$(or $(CARGO_TARGET_DIR),target)/release/gatehouse; $(or $(CARGO_TARGET_DIR),target)/release/gatehouse-bench-house growth || status=$$?; \
	fi; exit $$status

wasm-cost: wasm ## What a request and a policy's load cost in the built .wasm, by the interpreter's fuel
	@cargo test -q -p gatehouse-scripted-host --test cost -- --ignored --nocapture

##@ Keep tidy
fmt: ## Format
	cargo fmt --all

clean-cache: ## Remove the fetched tools (Envoy, func-e, Kafka)
	rm -rf "$(GATEHOUSE_CACHE)"

.PHONY: help demo build wasm wasm-trap house proto reference test unit scripted-host e2e otel faults fuzz soak load crd-check crd-apiserver envoy-matrix check instructions instructions-accept bench-decision bench bench-check empty-filter bench-house bench-loop bench-guard bench-growth wasm-cost fmt clean-cache
