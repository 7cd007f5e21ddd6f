.PHONY: help run test race lint format docs bench compare plantings postgres fuzz ci

help: ## list these targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

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

docs: ## make again what is made: the pages in docs, the lists of posts, the blocks in all texts
	UPDATE=1 go test ./tasker -run 'TestTheStatesDocument' -count=1
	UPDATE=1 go test ./tasker/taskertest -run 'TestWhatAnOperatorMayDo' -count=1
	UPDATE=1 go test ./posts -count=1
	go run ./tools/mdcheck -fix -run

bench: ## measure the engine on the memory store
	go test ./tasker -run '^$$' -bench . -benchtime 20x

compare: ## measure the engine beside DBOS, River and bare PostgreSQL
	bench/run.sh quick

plantings: ## plant bugs, each of which a test must find
	.ci/run plantings

postgres: ## start a PostgreSQL in Docker and print its address
	docker-compose up -d --wait
	@echo 'DATABASE_URL=postgres://tasker:tasker@localhost:54320/tasker'

fuzz: ## fuzz what reads templates, payloads and texts, a minute each
	go test ./tasker/template -run '^$$' -fuzz FuzzParse -fuzztime 60s
	go test ./tasker/payload -run '^$$' -fuzz FuzzCheck -fuzztime 60s
	go test ./tools/mdcheck/mdcheck -run '^$$' -fuzz FuzzDirective -fuzztime 60s
	go test ./tools/mdcheck/mdcheck -run '^$$' -fuzz FuzzScan -fuzztime 60s

ci: ## everything that must hold before a change lands
	.ci/run
