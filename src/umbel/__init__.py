"""umbel: a task queue."""
