.PHONY: help run test race lint format docs bench fuzz ci

help: ## list these targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: ## run post 01
	go run ./posts/01-ecommerce

test: ## run all tests
	go test ./...

race: ## run all tests under the race detector
	go test -race ./...

lint: ## vet and staticcheck
	.ci/run vet staticcheck

format: ## gofmt everything
	gofmt -w .

docs: ## draw docs/states.md and the posts' pictures again
	UPDATE=1 go test ./tasker -run 'TestTheStatesDocument' -count=1

bench: ## measure the engine on the memory store
	go test ./tasker -run '^$$' -bench . -benchtime 20x

fuzz: ## fuzz the template loader and the payload guard, a minute each
	go test ./tasker/template -run '^$$' -fuzz FuzzParse -fuzztime 60s
	go test ./tasker/payload -run '^$$' -fuzz FuzzCheck -fuzztime 60s

ci: ## everything that must hold before a change lands
	.ci/run
