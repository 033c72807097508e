"""The worker's command, with the options of `celery worker`: `python -m workers`, as in the Procfile.

Celery's own command line also imports its other commands and a shell, which take 8 MB.
"""

from celery.bin.base import CLIContext
from celery.bin.worker import worker

from workers.main import app

worker(obj=CLIContext(app, no_color=False, workdir=None, quiet=True))
