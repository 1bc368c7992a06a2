# `make run` serves, and needs nothing but Rust and a C compiler. `make test` installs what else it needs, with sudo.
# `make test-all` checks everything.

.PHONY: help run install quick test test-all seed lint check-features deny bench bench-pieces soak fuzz test-tools test-browser \
	test-containers test-speech local package package-test release-check
.DEFAULT_GOAL := help

# Most tests wait most of the time: for a gateway, a provider, a Redis.
RUST_TEST_THREADS ?= $(shell echo $$((3 * $$(getconf _NPROCESSORS_ONLN))))
export RUST_TEST_THREADS

# What is measured is what the image holds.
DIST := cargo bench --profile dist

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

run: ## Build and serve; without a provider's key, from the sandbox
	cargo run --release

install: ## Install the command `voxgate`, as `make run` builds it, into ~/.cargo/bin
	cargo install --locked --path .

local: ## Serve with a speech recogniser on this machine: no key, no account (VOXGATE_LOCAL_MODEL=folder or name)
	@deploy/local/run.sh

# The tests of the stores take long and need redis-server: `make test` runs them.
WITHOUT_REDIS := --skip store::tests:: --skip unreliable_store::

quick: ## Check the format and the lints, and run the unit tests that need no Redis: what to do before each commit
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test --lib -- $(WITHOUT_REDIS)

test: test-tools lint check-features deny ## Install what the tests need (asks for sudo), then run every check
	REQUIRE_TOOLS=1 cargo test
	@tests/install-tools.sh speech || echo 'The recogniser of tests/speech could not be installed.' >&2
	tests/speech/run.sh --short
	python3 packaging/tests.py

# Whatever tests make up is made up anew, and ten times as much of it (proptest's usual number is 256).
test-all: export PROPTEST_RNG_SEED := $(or $(PROPTEST_RNG_SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
test-all: export PROPTEST_CASES := $(or $(PROPTEST_CASES),2560)
test-all: export VOXGATE_FLEET_SECONDS := $(or $(VOXGATE_FLEET_SECONDS),60)
test-all: export PACKAGE_TEST_CARGO := 1
test-all: seed test fuzz test-browser test-speech test-containers package-test soak ## Everything: make test, a fuzz, a browser, a recogniser, containers, packages, and a soak

seed:
	@echo "To make up the same again: make test-all PROPTEST_RNG_SEED=$$PROPTEST_RNG_SEED"

lint: ## Check the format and the lints
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

# Dev-dependencies enable features of dependencies, which hides that the gateway lacks them. Without tests cargo leaves
# dev-dependencies out.
check-features: ## Check that the gateway compiles without the features that only tests enable
	cargo check --locked --bin voxgate

deny: test-tools ## Check the licences, the sources and the known faults of the dependencies
	tests/deny.sh

bench: test-tools ## Measure what the gateway costs beside nginx, live sessions, and what limits cost
	$(DIST) --bench gateway
	$(DIST) --bench limits

bench-pieces: ## Measure the pieces that each request goes through
	$(DIST) --bench pieces

soak: test-tools ## Two minutes of load before a provider that fails: is anything lost, does anything grow?
	$(DIST) --bench gateway -- soak

fuzz: test-tools ## Send damaged recordings to a gateway, the same each time: half a minute (VOXGATE_FUZZ=200000 for more)
	VOXGATE_FUZZ=$${VOXGATE_FUZZ:-4000} cargo test --test fuzz -- --nocapture

test-tools: ## Install what the tests need beside Rust (asks for sudo)
	@tests/install-tools.sh

test-browser: test-tools ## Use the gateway's pages and the browser module in Chromium, which is installed for that
	@tests/install-tools.sh browser
	REQUIRE_BROWSER=1 cargo test --test api -- browser:: client_module::

test-speech: test-tools ## Long recordings, split, before a recogniser: is as much heard as of the whole? An hour (SPEECH=--short: minutes)
	@tests/install-tools.sh speech
	cargo build --bin voxgate
	.test-tools/speech/bin/python tests/speech/local_tests.py --cold
	REQUIRE_TOOLS=1 tests/speech/run.sh $(or $(SPEECH),--full)

test-containers: ## Build the image, bring the compose file up, send audio through it
	tests/containers.sh

package: ## Build a Python wheel, the npm packages and a Debian package into target/package
	packaging/install-tools.sh
	packaging/build.sh

package-test: package ## Install each package in an empty place and run it; check the workflow that would publish them
	python3 packaging/tests.py
	node packaging/lint_workflow.mjs
	packaging/test.sh

release-check: ## Say what is missing for a release
	@python3 packaging/release_check.py
