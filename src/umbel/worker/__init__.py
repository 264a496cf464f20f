"""What runs: fetch, judge, hand out, settle, and keep the lease."""
