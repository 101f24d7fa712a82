# `make demo` and `make test` install what they need into .venv; Python >= 3.11 is required.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow lint clean web web-build

demo: $(VENV)/demo.stamp
	$(BIN)/python -m experiments.demo --out=demo

# All tests of a file run on one worker, so that they share its compiled programs.
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 20 -m "not slow"

# Needs `make demo`, for the README's commands. Keeps the order of tests/conftest.py.
test-slow: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 20 -m slow

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The browser demo at http://localhost:PORT/, with ONNX Runtime Web from npm and both networks as ONNX.
WEB := docs/demo
PORT ?= 8000
RUNTIME := ort.wasm.min.mjs ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm
NETWORKS := $(addprefix $(WEB)/built/,estimator.onnx restorer.onnx)

web: web-build
	$(BIN)/python $(WEB)/serve.py --port=$(PORT)

web-build: $(WEB)/built/runtime.stamp $(NETWORKS)

$(WEB)/built/runtime.stamp: $(WEB)/package.json
	@command -v npm >/dev/null || { echo "The browser demo needs npm: apt-get install npm" >&2; exit 1; }
	npm install --prefix=$(WEB) --ignore-scripts --no-audit --no-fund --no-package-lock
	mkdir -p $(@D)
	cp $(addprefix $(WEB)/node_modules/onnxruntime-web/dist/,$(RUNTIME)) $(@D)
	touch $@

$(NETWORKS): $(WEB)/built/%.onnx: agarnet_jax/weights/tiny.safetensors \
		$(wildcard agarnet_jax/export/*.py agarnet_jax/models/*.py) | $(VENV)/dev.stamp
	mkdir -p $(@D)
	$(BIN)/python -m experiments.export --weights=tiny --format=onnx --part=$* --out=$@

clean:
	rm -rf $(VENV) .venv-* demo $(WEB)/built $(WEB)/node_modules

# A stamp, since a failed venv (Debian without python3-venv) leaves bin/python behind.
$(VENV)/venv.stamp:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; use make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	touch $@

$(VENV)/demo.stamp: $(VENV)/venv.stamp pyproject.toml constraints.txt
	@echo "Installing packages (about 1 GB) into $(VENV); this takes minutes and prints nothing."
	$(INSTALL) -e '.[demo]'
	touch $@

# `dev` includes `demo`.
$(VENV)/dev.stamp: $(VENV)/venv.stamp pyproject.toml constraints.txt
	@echo "Installing packages (about 2 GB) into $(VENV); this takes minutes and prints nothing."
	$(INSTALL) -e '.[dev]'
	touch $(VENV)/demo.stamp $@
