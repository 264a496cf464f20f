task_default_queue = "set up"
