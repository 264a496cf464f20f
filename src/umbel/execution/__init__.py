"""One message in, one outcome out: the run of a task, without any I/O of the queue's own."""
