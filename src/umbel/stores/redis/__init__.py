"""The store in Redis or Valkey: queues that Celery's processes share byte for byte, held and concluded by scripts."""
