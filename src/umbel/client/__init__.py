"""The user's side: apps, tasks, signatures and results."""
