# `make run` serves, `make test` checks everything. Both need nothing but Rust.

.PHONY: help run test lint deny bench bench-pieces soak test-tools test-containers
.DEFAULT_GOAL := help

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

run: ## Serve; without a provider's key, from the sandbox
	cargo run --release

test: test-tools lint deny ## Install what the tests need, then run every check
	cargo test

lint: ## Check the formatting, and clippy's opinion
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

deny: test-tools ## Check what comes from elsewhere: its licences, its sources, what is known against it
	tests/deny.sh

bench: test-tools ## Measure what the gateway costs beside nginx, and what limits cost
	cargo bench --bench gateway
	cargo bench --bench limits

bench-pieces: ## Measure the pieces that each request goes through
	cargo bench --bench pieces

soak: test-tools ## Keep the gateway busy before a provider that fails, and look what is left
	cargo bench --bench gateway -- soak

test-tools: ## Install what the tests need beside Rust
	@tests/install-tools.sh

test-containers: ## Build the image, bring the compose file up, send audio through it
	tests/containers.sh
