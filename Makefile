# Caudal: one command for each habit. `make` alone lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
NODE := node_modules/.bin/node
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help run demo example-events example-passengers example-registry example-video test soak check bench loadtest dev clean install install-all console

help: ## List the commands
	@echo "Caudal — make <command>:"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  %-18s %s\n", $$1, $$2}'

install:
	@sh scripts/install.sh production

install-all:
	@sh scripts/install.sh all

console: install
	@sh scripts/build-console.sh

run: console ## Install, build, start everything; on an empty data directory show the main job
	@echo "→ starting Caudal (Ctrl-C stops everything)"
	@exec ./caudal up --demo

demo: console ## Show the main job alone, on the running instance or a temporary one
	@./caudal demo

example-events: ## Publish records to a topic of the running instance and read them back
	@sh examples/events.sh

example-passengers: ## Publish a table as an API for a third party, on the running instance
	@sh examples/passengers.sh

example-registry: ## Register people through a form with photos, on the running instance
	@sh examples/registry.sh

example-video: ## Make clips of a generated video, on the running instance
	@sh examples/video.sh

test: install-all ## Prove that it works: unit, integration, acceptance and browser tests
	@sh scripts/build-console.sh
	@$(NODE) scripts/test.ts

soak: install-all ## The long forms of the fault tests (400 MB, more kills, longer outages), the laws on new cases
	@CAUDAL_SOAK=1 $(NODE) scripts/test.ts test/acceptance/faults test/acceptance/restarts test/acceptance/hostile test/acceptance/scenario-b test/acceptance/scenario-c test/acceptance/small-batches src/features/reports \
		$$(grep -rl --include='*.test.ts' support/laws.ts src console/src)

check: install-all ## Types, lint and format, architecture, unused code
	@echo "→ types";        tsc -p . && tsc -p console
	@echo "→ lint, format"; biome check .
	@echo "→ architecture"; $(NODE) --test --test-reporter=dot test/architecture/*.test.ts
	@echo "→ unused code";  knip
	@echo "check: all clean"

bench: install-all ## Measure against the references of docs/benchmarks.md
	@$(NODE) bench/run.ts

loadtest: install-all ## Send a bounded load to a private Caudal; a report with percentiles and a chart
	@$(NODE) scripts/loadtest.ts

dev: install-all ## Start everything and restart on changes; the console through Vite
	@sh scripts/dev.sh

clean: ## Remove what was built and installed (data in .caudal stays)
	@echo "→ removing node_modules, console/dist, .tmp"
	@rm -rf node_modules console/node_modules console/dist .tmp
