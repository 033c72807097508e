"""One process of `make run`, with its own log file."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Process:
    """A running command. It leads its own process group, so that Ctrl-C reaches only `make run`."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._environ = environ
        self.start()

    def start(self) -> None:
        """Start it, also again after it has ended."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the commands are the Procfile's
                self._command, cwd=ROOT, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def has_died(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def logged(self) -> str:
        """The text of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def terminate(self) -> None:
        """Send SIGTERM if it runs."""
        self._process.terminate()

    def end(self) -> None:
        """Terminate it. After 10 seconds kill it and its children."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
