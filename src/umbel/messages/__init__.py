"""Where messages are made: options checked and completed, a queue found, and the one place that fills headers."""
