"""The command line, `celery`: umbel's commands under Celery's names and options, and a place for commands of other packages."""
