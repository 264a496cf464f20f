"""The signals of tasks and workers: umbel's, which have Celery's names and arguments."""

from __future__ import annotations

from umbel.signals import after_setup_logger as after_setup_logger
from umbel.signals import after_setup_task_logger as after_setup_task_logger
from umbel.signals import after_task_publish as after_task_publish
from umbel.signals import beat_embedded_init as beat_embedded_init
from umbel.signals import beat_init as beat_init
from umbel.signals import before_task_publish as before_task_publish
from umbel.signals import celeryd_after_setup as celeryd_after_setup
from umbel.signals import celeryd_init as celeryd_init
from umbel.signals import eventlet_pool_apply as eventlet_pool_apply
from umbel.signals import eventlet_pool_postshutdown as eventlet_pool_postshutdown
from umbel.signals import eventlet_pool_preshutdown as eventlet_pool_preshutdown
from umbel.signals import eventlet_pool_started as eventlet_pool_started
from umbel.signals import heartbeat_sent as heartbeat_sent
from umbel.signals import import_modules as import_modules
from umbel.signals import setup_logging as setup_logging
from umbel.signals import task_failure as task_failure
from umbel.signals import task_internal_error as task_internal_error
from umbel.signals import task_postrun as task_postrun
from umbel.signals import task_prerun as task_prerun
from umbel.signals import task_received as task_received
from umbel.signals import task_rejected as task_rejected
from umbel.signals import task_retry as task_retry
from umbel.signals import task_revoked as task_revoked
from umbel.signals import task_sent as task_sent
from umbel.signals import task_success as task_success
from umbel.signals import task_unknown as task_unknown
from umbel.signals import user_preload_options as user_preload_options
from umbel.signals import worker_before_create_process as worker_before_create_process
from umbel.signals import worker_init as worker_init
from umbel.signals import worker_process_init as worker_process_init
from umbel.signals import worker_process_shutdown as worker_process_shutdown
from umbel.signals import worker_ready as worker_ready
from umbel.signals import worker_shutdown as worker_shutdown
from umbel.signals import worker_shutting_down as worker_shutting_down
