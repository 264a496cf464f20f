"""People, projects, pictures. Being an installed app, its tasks.py is found by `autodiscover_tasks()`."""
