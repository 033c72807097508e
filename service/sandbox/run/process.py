"""One process of `make run`, with its own log file."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class Process:
    """A command with its environment. It leads its own process group, so that Ctrl-C reaches only `make run`."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path) -> None:
        """Start it in `folder`, also again after it has ended."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the commands are the Procfile's
                self._command, cwd=folder, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def has_died(self) -> bool:
        """Whether it was started and has ended."""
        return self._process is not None and self._process.poll() is not None

    def has_logged(self, words: str) -> bool:
        """Return whether its log contains these words."""
        return words in self.log.read_text(encoding="utf-8", errors="replace")

    def log_tail(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])

    def terminate(self) -> None:
        """Send SIGTERM if it runs."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def end(self, *, by: float) -> None:
        """Wait until it has ended. After `by` (monotonic seconds) kill it and its children."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=max(0.1, by - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
