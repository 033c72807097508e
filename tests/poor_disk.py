"""A disk without locks or syncs, like some network mounts, for separate processes.

All file systems of test machines support these calls. So Python's `fcntl.flock` and `os.fsync` fail in the processes
started with this disk's environment, with the errno of such a mount. All other calls are real.
"""

import errno
import os
import sys
from pathlib import Path

from tests.processes import ROOT

_SITE = '''
"""Python imports this module first in each process that has it on its path."""

import fcntl
import os
import stat
from pathlib import Path

_HERE = Path(__file__).parent


def _refuse(call):
    marker = _HERE / call
    if marker.exists():
        number = int(marker.read_text())
        raise OSError(number, os.strerror(number))


def _flock(handle, operation, real=fcntl.flock):
    _refuse("flock")
    real(handle, operation)


def _fsync(handle, real=os.fsync):
    _refuse("fsync_folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "fsync")
    real(handle)


fcntl.flock, os.fsync = _flock, _fsync
'''


class PoorDisk:
    """The disk of processes started with its `environ`. `lacks` and `restore` affect running processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITE)
        self.environ = {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), *sys.path])}

    def lacks(self, call: str, number: int = errno.EOPNOTSUPP) -> "PoorDisk":
        """Make `flock`, `fsync` or `fsync_folder` fail from now on."""
        self._marker(call).write_text(str(number))
        return self

    def restore(self, call: str) -> None:
        self._marker(call).unlink()

    def _marker(self, call: str) -> Path:
        return self._folder / call
