.PHONY: help demo test check chaos bench clean

help:   ## what can be made
	@sed -n 's/^\([a-z]*\): *## */  make \1	/p' $(MAKEFILE_LIST)

demo:   ## a whole site on umbel, a worker killed on the way; BROKER=redis, PHOTOS=folder of your own pictures
	@scripts/demo $(if $(BROKER),--broker "$(BROKER)") $(if $(PHOTOS),--photos "$(PHOTOS)")

test:   ## the checks and all tests; PYTHON=python3.13 takes another interpreter
	@scripts/test

check:  ## format, lint, types, floors
	@scripts/check

chaos:  ## kill processes, take Redis away, count what became of the tasks; half an hour
	@scripts/chaos $(ARGS)

bench:  ## umbel beside other task queues on this machine; needs redis-server
	@scripts/bench $(ARGS)

clean:  ## remove what the others made
	rm -rf .venv .bench .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist out
	find . -name __pycache__ -prune -exec rm -rf {} +
