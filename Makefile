# `make run` serves, `make test` checks everything. Both need nothing but Rust.

.PHONY: help run test lint bench test-tools test-containers
.DEFAULT_GOAL := help

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

run: ## Serve; without a provider's key, from the sandbox
	cargo run --release

test: test-tools lint ## Install what the tests need, then run every check
	cargo test

lint: ## Check the formatting, and clippy's opinion
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

bench: test-tools ## Measure what limits cost, with either store
	cargo bench --bench limits

test-tools: ## Install what the tests need beside Rust
	@tests/install-tools.sh

test-containers: ## Build the image, bring the compose file up, send audio through it
	tests/containers.sh
