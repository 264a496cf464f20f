from oldapp import app


@app.task
def where():
    return [app.conf.task_default_queue, app.conf.result_expires, app.conf.worker_max_tasks_per_child]


@app.task(bind=True)
def routed(self):
    return self.request.delivery_info["routing_key"]
