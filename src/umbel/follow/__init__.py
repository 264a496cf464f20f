"""What follows from a run: callbacks and errbacks, the next step, what joins; see docs/internals/execution.md."""
