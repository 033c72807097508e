"""The web servers under load, one class each. All have two processes, on the same machine and the same Redis.

They find production's packages only.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol

import requests

from tests.bench.costs import wait_until_settled
from tests.bench.production import hide_others
from tests.polling import eventually
from tests.processes import API_TOKEN, BIN, ROOT, SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer, free_port


class Server(Protocol):
    """A web server that is started, put under load, and stopped. `pids` are the roots of its process trees."""

    name: ClassVar[str]
    port: int

    def start(self) -> None:
        """Start, and wait until all processes serve requests."""

    def stop(self) -> None:
        """End all processes."""

    @property
    def pids(self) -> Sequence[int]: ...


class AfterwordServer:
    """Afterword with the Procfile's commands: the web, or the named processes."""

    name: ClassVar[str] = "Afterword"

    def __init__(self, folder: Path, redis: RedisServer, **environ: str) -> None:
        path = str(hide_others(folder / "hidden"))
        self.processes = Afterword(folder, {"REDIS_URL": redis.new_database(), "PYTHONPATH": path, **environ})
        self.port = self.processes.port
        self.url = self.processes.url
        self.redis_url = self.processes.redis_url
        self._programs: tuple[str, ...] = ()

    def start(self, *programs: str) -> None:
        self._programs = programs or ("web",)
        self.processes.start(*self._programs)
        wait_until_settled(*self.pids)

    def stop(self) -> None:
        self.processes.stop()

    @property
    def pids(self) -> Sequence[int]:
        return [self.pid_of(name) for name in self._programs]

    def pid_of(self, program: str) -> int:
        """Return the root of a program's process tree."""
        return self.processes.pid_of(program)


class CommandServer:
    """A server with a command of its own, and no gunicorn.conf.py: it runs in a folder without one."""

    name: ClassVar[str]
    command: ClassVar[str]
    """`{port}` is replaced."""

    def __init__(self, folder: Path, redis: RedisServer, **environ: str) -> None:
        self.port = free_port()
        self.redis_url = redis.new_database()
        self._folder = folder
        self._environ = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": f"{hide_others(folder / 'hidden')}:{ROOT}",
            "HOME": str(folder),
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "REDIS_URL": self.redis_url,
            "DIXA_API_TOKEN": API_TOKEN,
            "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "SECRET_KEYS": SECRET_KEY,
            **environ,
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *_programs: str) -> None:
        self.run(self.command.format(port=self.port))
        eventually(self._responds)
        wait_until_settled(*self.pids)

    def run(self, command: str) -> None:
        """Start one more process. Its log is in the folder."""
        with (self._folder / f"{command.split(maxsplit=1)[0]}.log").open("ab") as log:
            self._running.append(
                subprocess.Popen(
                    command.split(),
                    cwd=self._folder,
                    env=self._environ,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def stop(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(40)
        self._running.clear()

    @property
    def pids(self) -> Sequence[int]:
        return [process.pid for process in self._running]

    def _responds(self) -> bool:
        assert self._running[0].poll() is None, f"ended: see the log in {self._folder}"
        try:
            return bool(requests.get(f"http://127.0.0.1:{self.port}/", timeout=2).status_code)
        except requests.RequestException:
            return False


_GUNICORN = "gunicorn --bind 127.0.0.1:{port} --workers 2"


class NaiveThreads(CommandServer):
    """The naive build on threads."""

    name = "naive, gthread"
    command = f"{_GUNICORN} --worker-class gthread --threads 8 tests.bench.naive.web:app"


class NaiveGevent(CommandServer):
    """The naive build on gevent."""

    name = "naive, gevent"
    command = f"{_GUNICORN} --worker-class gevent tests.bench.naive.web:app"


class NaiveWithWorker(NaiveGevent):
    """The naive build with its worker, which has as many threads as Afterword's."""

    name = "naive"

    def start(self, *programs: str) -> None:
        super().start(*programs)
        self.run("celery --quiet -A tests.bench.naive.tasks worker --pool threads --concurrency 8")
        wait_until_settled(*self.pids)


_LIKE_AFTERWORD = f"{_GUNICORN} --worker-class service.web.connections.Worker --keep-alive 5"


class BareWebhooks(CommandServer):
    """Afterword's server with a constant response to each webhook."""

    name = "bare server"
    command = f"{_LIKE_AFTERWORD} tests.bench.bare:webhook"


class BarePages(CommandServer):
    """Afterword's server with a constant page."""

    name = "bare page"
    command = f"{_LIKE_AFTERWORD} tests.bench.bare:page"
