"""The worker's command, with the options of `celery worker`: `python -m workers`, as in the Procfile.

Celery's own command line also imports its other commands and a shell, which take 8 MB.
"""

import os
import signal
import sys


def _begin_again(*_: object) -> None:
    os.execv(sys.executable, [sys.executable, "-m", "workers", *sys.argv[1:]])  # noqa: S606 - this program itself


# Until Celery is ready for it, a HUP would end the process. As with Celery's, the end of a terminal ends it, too.
if not sys.stdout.isatty():
    signal.signal(signal.SIGHUP, _begin_again)

from celery.bin.base import CLIContext  # noqa: E402
from celery.bin.worker import worker  # noqa: E402

from workers.main import app  # noqa: E402

worker(obj=CLIContext(app, no_color=False, workdir=None, quiet=True))
