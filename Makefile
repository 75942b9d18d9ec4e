# `make demo` and `make test` are all the set-up there is; the rest is for people who change fastact.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
INSTALL := -m pip --disable-pip-version-check --quiet
PIP    := $(BIN)/python $(INSTALL)

# Rivals have an environment of their own. PyTorch's build for the GPU, which is what PyPI has for x86-64, brings gigabytes:
# BENCH_WITH=torch adds it.
BENCH  ?= .bench
BENCH_WITH ?=

# donkeycar, too, wants other versions of libraries than the tests do, and Python 3.11 (or 3.12 for its next version).
CAR    ?= .donkey

# What `make fuzz` lets the coverage-guided fuzzer take. Hypothesis and random mutations run after it, for some minutes.
FUZZ_SECONDS ?= 3600

.PHONY: demo test car lint types format bench bench-peers figures tiles cuda-report bench-check fuzz corpus exactness golden wheel test-aarch64 clean

demo: $(VENV)/.runs              ## run the main job on the samples; pictures are left in demo/
	$(BIN)/fastact demo --out demo

test: $(VENV)/.tests $(CAR)/.drives   ## run all tests; those that measure time come last, by themselves
	FASTACT_CAR=$(abspath $(CAR)) $(BIN)/python -m pytest -n auto --dist worksteal -m 'not alone' --durations 20
	FASTACT_CAR=$(abspath $(CAR)) $(BIN)/python -m pytest -m alone

car: $(VENV)/.tests $(CAR)/.drives    ## drive a Donkey without wheels for ten minutes, and print its figures
	FASTACT_CAR=$(abspath $(CAR)) FASTACT_CAR_SECONDS=600 $(BIN)/python -m pytest -s -k test_a_drive tests/test_donkey_vehicle.py

lint: $(VENV)/.lints             ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not follow a package whose parts lie in two folders: it is shown one where they lie together.
types: $(VENV)/.runs $(VENV)/.lints   ## types, strict
	rm -rf .types && mkdir -p .types/fastact
	ln -s $(CURDIR)/fastact/* .types/fastact/ && ln -s $(CURDIR)/kernels .types/fastact/kernels
	MYPYPATH=.types $(BIN)/mypy --cache-dir /dev/null -p fastact

format: $(VENV)/.lints           ## write what lint asks for
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: $(BENCH)/.rivals          ## time kernels, models and start-up, each checked before it is timed
	$(BENCH)/bin/python -m pytest benchmarks/suite -o python_files='bench_*.py' -o python_functions='bench_*' \
		--benchmark-columns=min,median,iqr,rounds

bench-peers: $(BENCH)/.rivals    ## fastact beside its rivals: one table, in about eight minutes
	$(BENCH)/bin/python -m benchmarks.report

figures: $(BENCH)/.rivals        ## the same, written into README.md and docs/benchmarks.md
	$(BENCH)/bin/python -m benchmarks.report --write README.md --details docs/benchmarks.md

tiles: $(BENCH)/.rivals          ## time every tile, and write docs/tiles.md
	$(BENCH)/bin/python -m benchmarks.tiles --write docs/tiles.md

cuda-report: $(VENV)/.tests      ## what CUDA kernels need and boards could do, without a GPU, written into docs/cuda.md
	$(BIN)/python -m benchmarks.cuda_resources --write docs/cuda.md

bench-check: $(VENV)/.tests      ## fails where fastact is slower than ONNX Runtime on one thread
	$(BIN)/python -m benchmarks.peers --threads 1 --engine 'ONNX Runtime'

fuzz: $(VENV)/.tests             ## the long form of the fuzzing that `make test` does briefly; FUZZ_SECONDS=36000 for ten hours
	$(BIN)/python tests/fuzz/run.py $(FUZZ_SECONDS)
	FASTACT_FUZZ=20000 $(BIN)/python -m pytest -k "fuzz or mutat"
	FASTACT_RANDOM_FIRST=$$(date +%s) FASTACT_RANDOM_COUNT=1000 $(BIN)/python -m pytest tests/test_random_networks.py

corpus: $(VENV)/.tests           ## networks in every file, of which `make test` takes three: about half an hour
	FASTACT_NETWORKS=all $(BIN)/python -m pytest tests/test_corpus.py tests/test_models.py

exactness: $(VENV)/.tests        ## largest errors of the same networks, written into docs/exactness.md
	$(BIN)/python -m benchmarks.exactness --write docs/exactness.md

golden: $(VENV)/.tests           ## make tests/golden anew with the TensorFlow that is installed
	$(BIN)/python tests/make_golden.py

wheel: $(VENV)/.runs             ## a wheel with compiled kernels for every machine, in dist/
	rm -rf build  # setuptools would pack the libraries of earlier builds, which lie there, too
	$(PIP) install build ziglang -e '.[jit,cuda]'
	$(BIN)/python -m fastact.kernels.cpu.ship kernels/cpu/lib
	$(BIN)/python -m fastact.kernels.cuda.ship kernels/cuda/ptx
	$(BIN)/python -m build --wheel --outdir dist .

test-aarch64: wheel              ## the wheel on an emulated Cortex-A57; the first time fetches about 80 MB, and qemu's 60
	$(PIP) install pytest
	wheel=$$(ls -t dist/*.whl | head -n 1) && tests/aarch64/prepare .aarch64 "$$wheel" $(BIN)/python && \
		FASTACT_WHEEL="$(CURDIR)/$$wheel" $(BIN)/python -m pytest --noconftest tests/test_aarch64.py

clean:
	rm -rf $(VENV) $(BENCH) $(CAR) .types .fuzz build dist *.egg-info demo kernels/cpu/lib kernels/cuda/ptx .aarch64

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: pyproject.toml | $(VENV)/bin/python
	$(PIP) install -e '.[jit]'
	touch $@

# tf-keras asks for the whole of TensorFlow; the CPU build serves it as well.
$(VENV)/.tests: $(VENV)/.runs
	$(PIP) install -e '.[test]'
	$(PIP) install --no-deps 'tf-keras>=2.21,<2.22'
	touch $@

$(BENCH)/bin/python:
	$(PYTHON) -m venv $(BENCH)

$(BENCH)/.rivals: pyproject.toml | $(BENCH)/bin/python
	$(BENCH)/bin/python $(INSTALL) install -e '.[bench]' $(BENCH_WITH)
	touch $@

$(CAR)/.drives: pyproject.toml tests/donkey/prepare
	tests/donkey/prepare $(CAR) $(PYTHON) python3.11 python3.12

$(VENV)/.lints: pyproject.toml | $(VENV)/bin/python
	$(PIP) install 'mypy>=1.15' 'ruff>=0.9'
	touch $@
