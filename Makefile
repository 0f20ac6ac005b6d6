# `make` lists what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DETECTION := .venv-detection
MOBILE := .venv-mobile
RAY := .venv-ray

# Made anew only when what it depends on changes; a second call reinstalls nothing.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("error: Python 3.11 or newer is needed, this is %d.%d; name another with make PYTHON=..." % v[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@# W&B's own sweep engine, which tests compare with; it asks for an older numpy than it needs.
	$(BIN)/python -m pip install --quiet --no-deps sweeps==0.3.0
	@touch $@

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(READY) ## Make the environment in .venv, if it is missing or out of date.

.PHONY: fit
fit: $(READY) ## Train EfficientNet-B0 on the embedded photographs.
	$(BIN)/python -m lit_effnet.fit --config experiments/photos.yaml

.PHONY: test
test: $(READY) ## Run the quick tests.
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist worksteal

.PHONY: test-all
test-all: $(READY) ## Run all tests.
	$(BIN)/python -m pytest

.PHONY: fuzz
fuzz: $(READY) ## Hand 10,000 damaged files to the commands that read them; takes half an hour.
	$(BIN)/python -m tests.fuzzing --inputs 10000

.PHONY: browser
browser: ## Install Debian's Chromium, in which the tests look at the report page; needs root.
	apt-get update --quiet --quiet
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends chromium chromium-driver

.PHONY: notebooks
notebooks: $(READY) ## Run analysis/*.ipynb and render them to HTML, in build/notebooks.
	@# The template that keeps the figures' alternative texts.
	$(BIN)/python -m nbconvert --to html --template classic --execute --output-dir build/notebooks analysis/*.ipynb

# The packages of .venv, and effdet with what it needs besides; nothing is installed into .venv.
$(DETECTION)/.ready: $(READY)
	test -x $(DETECTION)/bin/python || $(BIN)/python -m venv $(DETECTION)
	$(BIN)/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" \
	  > "$$($(DETECTION)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/shared.pth"
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['detection'], sep='\n')" \
	  > $(DETECTION)/requirements.txt
	$(DETECTION)/bin/python -m pip install --quiet --constraint requirements.lock --requirement $(DETECTION)/requirements.txt
	@touch $@

.PHONY: test-detection
test-detection: $(READY) $(DETECTION)/.ready ## Count EfficientDet again, with effdet in an environment of its own.
	$(DETECTION)/bin/python -m pytest tests/network/test_detection.py tests/test_scale.py

# The packages of .venv, and Ray; nothing is installed into .venv.
$(RAY)/.ready: $(READY)
	test -x $(RAY)/bin/python || $(BIN)/python -m venv $(RAY)
	$(BIN)/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" \
	  > "$$($(RAY)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/shared.pth"
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['ray'], sep='\n')" \
	  > $(RAY)/requirements.txt
	$(RAY)/bin/python -m pip install --quiet --constraint requirements.lock --requirement $(RAY)/requirements.txt
	@touch $@

.PHONY: test-ray
test-ray: $(READY) $(RAY)/.ready ## Test sweeps on Ray's clusters, with Ray in an environment of its own.
	$(RAY)/bin/python -m pytest tests/trials/test_ray_cluster.py tests/orchestration/test_ray.py

# The packages of .venv, and before them litert-torch with the older ones that it pins.
$(MOBILE)/.ready: $(READY)
	test -x $(MOBILE)/bin/python || $(BIN)/python -m venv $(MOBILE)
	$(BIN)/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" \
	  > "$$($(MOBILE)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/shared.pth"
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['mobile'], sep='\n')" \
	  > $(MOBILE)/requirements.txt
	grep -E '^(torch|torchvision)==' requirements.lock > $(MOBILE)/constraints.txt
	$(MOBILE)/bin/python -m pip install --quiet --no-warn-conflicts --constraint $(MOBILE)/constraints.txt --requirement $(MOBILE)/requirements.txt
	@touch $@

.PHONY: mobile
mobile: $(MOBILE)/.ready ## Make the environment that writes LiteRT files, in .venv-mobile.

.PHONY: lint
lint: $(READY) ## Look for mistakes and for what is not formatted.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: $(READY) ## Format the code and mend what can be mended.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: typecheck
typecheck: $(READY) ## Check the types of the package.
	$(BIN)/mypy

.PHONY: bench
bench: $(READY) ## Run the benchmarks; takes tens of minutes.
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/shared_cores.py
	$(BIN)/python benchmarks/data_throughput.py
	$(BIN)/python benchmarks/class_activation_maps.py
	$(BIN)/python benchmarks/network_speed.py --keep-freed-memory

.PHONY: results
results: $(READY) ## Write the tables and figures of README and docs from results/.
	$(BIN)/python -m lit_effnet.results.pages

.PHONY: lock
lock: $(READY) ## Resolve pyproject.toml into requirements.lock; needs uv.
	uv pip compile pyproject.toml --extra dev --extra export --extra int8 --extra notebooks --universal --python-version 3.11 \
	  --fork-strategy fewest --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --output-file requirements.lock
