# Everything runs from a fresh clone: the environment is made by whichever target comes first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One thread each: two workers with two threads each get in each other's way on two cores. Bytecode is kept, whatever the
# environment says: without it every worker compiles all modules again and rewrites all assertions, ten seconds in sum.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
OUTPUT ?= demo-output
LITERT := .venv-litert
PEERS := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help demo test check nightly fuzz test-devices lint types bench bench-tflite bench-peers accuracy wheel golden clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "condmix needs Python 3.11 to 3.13; found $$($(PYTHON) --version). Try: make PYTHON=python3.11 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[export,eval,timm,dev]'
	@touch $@

.typing/ready: $(READY)
	@mkdir -p .typing/condmix
	@for folder in models runtime exporters deploy; do ln -sfn ../../$$folder .typing/condmix/$$folder; done
	@touch $@

demo: $(READY)  ## train a CondConv net and a MixNet on handwritten digits, export and verify both
	$(BIN)/python -m condmix.deploy.demo $(OUTPUT)

test: lint types  ## everything: lint, types, all tests but the nightly ones and those that need a device
	$(PYTEST) -n 2 --dist worksteal -m "not nightly and not device"

check: lint types  ## the quick inner loop, under two minutes: no slow tests, fewer examples
	$(PYTEST) -n 2 --dist worksteal -q -m "not slow and not nightly and not device" --hypothesis-profile quick

nightly: lint types  ## all of make test, the largest networks and thousands of random ones: an hour and more
	$(PYTEST) -n 2 --dist worksteal -m "not device"

fuzz: $(READY)  ## 10 000 damaged files for every reader, fewer for slow ones: named errors only, in bounded time and memory
	$(BIN)/python -m tests.fuzz.run --inputs 10000

test-devices: $(READY)  ## boards by ssh, phones by adb, browsers, emulated Arm: what is missing here is skipped with its reason
	$(PYTEST) -n 2 --dist loadfile -m device -rs --durations=15 tests

lint: $(READY)  ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .

types: .typing/ready  ## mypy --strict on the four packages
	MYPYPATH=.typing $(BIN)/mypy --strict -p condmix.models -p condmix.runtime -p condmix.exporters -p condmix.deploy

bench: $(READY)  ## speed against torch.onnx.export: ratios from one interleaved run, written to bench-output/
	$(BIN)/python -m condmix.deploy.bench bench-output

$(LITERT)/.ready:
	test -x $(LITERT)/bin/python || $(PYTHON) -m venv $(LITERT)
	$(LITERT)/bin/python -m pip install --quiet torch==2.13.0
	$(LITERT)/bin/python -m pip install --quiet litert-torch==0.10.0
	@touch $@

bench-tflite: $(READY) $(LITERT)/.ready  ## TFLite speed against litert-torch, which gets a 2 GB environment of its own
	OMP_NUM_THREADS=1 $(BIN)/python -m condmix.deploy.bench.tflite bench-output --litert-environment $(LITERT)

bench-peers: $(READY)  ## speed beside OpenVINO, MNN, ExecuTorch, litert-torch and onnx2tf: 5 GB in .venv-peers, an hour and more
	OMP_NUM_THREADS=1 $(BIN)/python -m condmix.deploy.bench.peers bench-output --environments $(PEERS)

accuracy: $(READY) $(LITERT)/.ready  ## int8 accuracy of full-size networks, trained first: an hour and more, into bench-output/
	OMP_NUM_THREADS=1 $(BIN)/python -m condmix.deploy.bench.accuracy bench-output --litert-environment $(LITERT)

wheel: $(READY)  ## build the wheel and the source distribution, and try the wheel in a clean environment
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	$(PYTEST) -q tests/test_wheel.py

golden: $(READY)  ## rewrite the expected texts in tests/golden; review the difference before you commit
	CONDMIX_UPDATE_GOLDEN=1 $(PYTEST) -q tests/conformance tests/deploy -k golden

clean:  ## remove everything that can be made again
	rm -rf $(VENV) $(LITERT) $(PEERS) .typing .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info demo-output bench-output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
