"""Where jobs run: child processes, threads, an event loop."""
