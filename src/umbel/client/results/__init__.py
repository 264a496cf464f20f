"""What is known of calls: one result, many, those of groups; who waits for them, and how far they are."""
