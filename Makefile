# The two commands are "make book" and "make test"; "make" alone lists all.
# Everything that is made goes into .venv/, .venv-classroom/ and _build/, and marks into marks/;
# outside, only pip's own cache is written.
.DEFAULT_GOAL := help
.PHONY: help book book-student runtime test site-test classroom-test accuracy bench serve release notebooks pins clean
.PHONY: release-assignment grade hand-marks remove-marks
PORT = 8000
BIN = .venv/bin

# The order of what a target needs counts, with "make -j" as well: site-test needs runtime, then book.
.NOTPARALLEL:

# Settings and caches of Jupyter, IPython and Matplotlib stay here, and those of the user stay out.
export JUPYTER_CONFIG_DIR = $(CURDIR)/.venv/var/jupyter
export JUPYTER_DATA_DIR = $(CURDIR)/.venv/var/jupyter
export IPYTHONDIR = $(CURDIR)/.venv/var/ipython
export MPLCONFIGDIR = $(CURDIR)/.venv/var/matplotlib

# The first Python that is new enough and can make an environment; choose one by "make book PYTHON=...".
FITS = -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
PYTHON = $(shell for p in python3 python3.12 python3.11 python3.13 python3.14; do \
	$$p $(FITS) && echo $$p && break; done)
define NO_PYTHON
This book needs Python 3.11 or newer with its venv module: install it from\
 https://www.python.org/downloads/ (on Debian or Ubuntu: sudo apt install python3-venv;\
 on macOS: brew install python@3.12) and repeat the command,\
 or name one that is installed: make book PYTHON=/path/to/python3.12
endef

define NO_CHECKERS
The gates of the site need npm and java for their checkers, and Chrome or Chromium:\
 install them (on Debian or Ubuntu: sudo apt install npm default-jre-headless chromium) and repeat\
 the command.
endef

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' Makefile

book: .venv/ready ## execute the chapters and build the site, warnings are errors
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "The book is ready: open _build/html/index.html, or run: make serve"

book-student: .venv/ready ## build the same book without the solutions, to give to a class
	$(BIN)/python -m book_tools.student_edition

runtime: .venv/ready ## get Python for browsers: then make book gives cells a Run button; PYODIDE_WHEELS=folder
	@$(BIN)/python -m book_tools.runtime

test: .venv/ready $(if $(shell command -v bwrap),.venv-classroom/ready) ## check the style of the code and run every test
	$(BIN)/ruff check && $(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache --no-logo # who may import whom: pyproject.toml
	mkdir -p _build && $(BIN)/python -m pytest --basetemp=_build/pytest $(WORKERS)

# One worker for each core, four at most: each may hold PyTorch and MXNet. Files stay together.
WORKERS = -n logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

site-test: runtime book .venv/site-ready ## open every page in the installed browser and check what readers get
	$(BIN)/python -m pytest tests/site --basetemp=_build/pytest $(WORKERS)

classroom-test: .venv/ready .venv-classroom/ready ## mark every kind of broken and hostile submission
	@command -v bwrap >/dev/null || { echo "Install bubblewrap, and repeat the command." >&2; exit 1; }
	mkdir -p _build && $(BIN)/python -m pytest tests/classroom/whole_class --basetemp=_build/pytest

accuracy: .venv/ready ## measure every function against every library, some minutes; the book shows the result
	$(BIN)/python -m book_tools.accuracy

bench: .venv/ready ## time softmax in blocks against SciPy and PyTorch, on one thread; the book shows the result
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m book_tools.bench

serve: book ## build the site and show it at http://127.0.0.1:8000 (another port: PORT=8001)
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

release: book ## pack the site, the notebooks and the book as a PDF in one zip
	$(BIN)/python -m book_tools.release

notebooks: .venv/ready ## open the chapters as notebooks in JupyterLab
	$(BIN)/jupytext-config set-default-viewer markdown >/dev/null
	$(BIN)/jupyter-lab --LabApp.default_url=/lab/tree/book

# Assignments: NAME=temperature, smoothing or streaming; see the chapter "Teaching".
# A value reaches the program as it was typed, with "$" and quotes in it.
quoted = '$(subst ','\'',$(value $1))'
given = $(if $(filter command,$(origin $1)),$2 $(call quoted,$1))
CLASSROOM = .venv-classroom/bin/python -m classroom
OPTIONS = $(call given,OUT,--to) $(call given,LIMIT,--seconds) $(if $(filter no,$(SANDBOX)),--no-sandbox)
GRADE = $(call given,ONLY,--only) $(if $(filter yes,$(AGAIN)),--again) $(call given,LANGUAGE,--language) $(call given,COLUMN,--column)

release-assignment: .venv-classroom/ready ## make the notebook of an assignment for students: NAME=temperature
	@$(CLASSROOM) release $(call quoted,NAME) $(OPTIONS)

grade: .venv-classroom/ready ## mark a folder or zip of notebooks: NAME=temperature FROM=handed-in.zip
	@$(CLASSROOM) grade $(call quoted,NAME) $(call quoted,FROM) $(OPTIONS) $(GRADE)

hand-marks: .venv-classroom/ready ## enter the marks of question 3 in the browser: NAME=temperature
	@$(CLASSROOM) hand-marks $(call quoted,NAME) $(call given,OUT,--to)

remove-marks: .venv-classroom/ready ## say which marks would be removed, and with SURE=yes remove them: NAME=temperature ONLY=Ada
	@$(CLASSROOM) remove $(call quoted,NAME) $(call given,OUT,--to) $(call given,ONLY,--only) $(if $(filter yes,$(SURE)),--sure)

pins: .venv/ready ## compile requirements.in, which people edit, to requirements.txt; newer versions: UPGRADE=--upgrade
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip compile --quiet --no-cache $(UPGRADE) requirements.in --output-file requirements.txt

clean: ## remove all that is generated but marks, the environments included
	rm -rf .venv .venv-classroom _build conf.py .hypothesis .pytest_cache .ruff_cache src/*.egg-info
	find src tests book -name __pycache__ -prune -exec rm -rf {} +

# The environment: made once, and brought up to date when the requirements change.
.venv/ready: requirements.txt pyproject.toml
	@"$(PYTHON)" $(FITS) || { echo "$(NO_PYTHON)" >&2; exit 1; }
	$(BIN)/python $(FITS) || "$(PYTHON)" -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	mkdir -p .venv/etc/ipython # else each kernel warns that its local connection is not encrypted
	echo 'c.IPKernelApp.log_level = "ERROR"' >.venv/etc/ipython/ipython_kernel_config.py
	touch $@

# The environment of teachers: readers and students do without it, and it does without the book's.
.venv-classroom/ready: src/classroom/requirements.txt requirements.txt pyproject.toml
	@"$(PYTHON)" $(FITS) || { echo "$(NO_PYTHON)" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear .venv-classroom
	mkdir -p .venv/var # for the settings of IPython
	sed '/^-e/d' requirements.txt >.venv-classroom/constraints.txt
	.venv-classroom/bin/python -m pip install --disable-pip-version-check \
		-c .venv-classroom/constraints.txt -e '.[book]' -r src/classroom/requirements.txt
	touch $@

# What the gates of the site need besides: the checkers of accessibility and of HTML.
.venv/site-ready: .venv/ready Makefile
	@command -v npm >/dev/null && command -v java >/dev/null || { echo "$(NO_CHECKERS)" >&2; exit 1; }
	npm install --silent --no-audit --no-fund --prefix .venv/var/node axe-core@4.14.1 vnu-jar@26.9.27
	touch $@
