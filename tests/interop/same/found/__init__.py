"""A package that `autodiscover_tasks` looks into."""
