"""Runs Celery's command line by line, each in a process forked for it: to start Celery takes longer than most commands.

Each line that comes in is JSON: the folder to run in, the words, and the files for what is said. Its exit code goes out.
"""

import importlib
import json
import os
import sys

from celery.__main__ import main

for needed in ("celery.bin.celery", "celery.backends.redis", "kombu.transport.redis"):
    importlib.import_module(needed)

for line in sys.stdin:
    folder, words, *files = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(folder)
        sys.path[0], sys.argv = folder, ["celery", *words]
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
