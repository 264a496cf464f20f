import os

broker_url = os.environ["BROKER"]
result_backend = os.environ["BACKEND"]
imports = ("jobs",)
task_default_queue = "jobs"
result_expires = 120
