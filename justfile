# One command for all checks, the same as CI.
check: lint test

lint:
    ruff check .
    ruff format --check .
    mypy

test *ARGS:
    python -m pytest -n 2 {{ARGS}}

# A rule's own examples: just rule K8S-001
rule ID:
    python -m pytest -q tests/test_rules.py -k {{ID}}

bench *ARGS:
    python benchmarks/run.py {{ARGS}}

ci:
    .ci/run
