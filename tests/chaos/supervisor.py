"""Processes and their Redis under a supervisor with restarts, and random kills."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread

import psutil
import redis
from honcho.environ import parse_procfile

from service.records.redis import connect
from tests.polling import eventually
from tests.processes import API_TOKEN, BIN, ROOT, SECRET_KEY, WEBHOOK_SECRET, RedisServer, free_port

SURVEYS = '[[survey]]\nname = "default"\ndelay = "0s"\neditable_for = "200ms"\nsuspect_editable_for = "0s"\n'
QUICK = {
    "DIXA_PACE": "500/50",
    # A close lost by a defect must stay lost.
    "RECOVER_CLOSES": "off",
    "RELAY_INTERVAL": "50ms",
    "ARCHIVE_INTERVAL": "500ms",
    "RECOVERY_WAIT": "200ms",
    "LEASE": "5s",
    "STEP_BUDGET": "2s",
    "RECONCILE_AFTER": "2s",
    "REQUEUE_AFTER": "2s",
    "BACKOFF_MIN": "50ms",
    "BACKOFF_MAX": "500ms",
    "LOG_LEVEL": "WARNING",
}
_LOOK_SECONDS = 0.05


def of_the_procfile() -> dict[str, list[str]]:
    """The Procfile's commands, with two workers."""
    commands = parse_procfile((ROOT / "Procfile").read_text()).processes
    return {"web": commands["web"].split()} | {f"worker-{n}": commands["worker"].split() for n in (1, 2)}


class Cluster:
    """Named processes and a Redis, each restarted after its death. `kills` counts by victim."""

    def __init__(self, folder: Path, dixa_url: str, commands: Mapping[str, Sequence[str]], **environ: str) -> None:
        self.server = RedisServer(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.webhook_url = f"{self.url}/webhooks/dixa"
        self.kills: dict[str, int] = {}
        surveys = folder / "surveys.toml"
        surveys.write_text(SURVEYS)
        self._folder = folder
        self._commands = commands
        self._environ = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "BIND": f"127.0.0.1:{self.port}",
            "PUBLIC_URL": self.url,
            "REDIS_URL": self.server.url,
            "DIXA_API_TOKEN": API_TOKEN,
            "DIXA_API_URL": dixa_url,
            "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "SECRET_KEYS": SECRET_KEY,
            "SURVEYS_FILE": str(surveys),
            "SPOOL_DIR": str(folder / "spool"),
            **QUICK,
            **environ,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = Lock()
        self._stopping = Event()
        self._supervisor = Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        self.server.start()
        for name in self._commands:
            self._start(name)
        self._supervisor.start()

    def stop(self) -> None:
        self._stopping.set()
        self._supervisor.join()
        for process in self._running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.server.stop()

    def kill_one(self, random: Random) -> None:
        """Kill Redis, one of our processes, or one of its children with SIGKILL."""
        name = random.choice(["redis", *self._commands])
        if name == "redis":
            with self._lock:
                self.server.stop()
                Event().wait(random.random() / 2)
                self.server.start()
            victim = name
        else:
            victim = self._kill_process(name, random)
        self.kills[victim] = self.kills.get(victim, 0) + 1

    def client(self) -> redis.Redis:
        return connect(self.server.url)

    @property
    def archive_url(self) -> str:
        return f"sqlite:///{self._folder}/archive.db"

    def log_of(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()

    def _kill_process(self, name: str, random: Random) -> str:
        def pids() -> list[int]:
            with suppress(psutil.NoSuchProcess):
                main = psutil.Process(self._running[name].pid)
                if main.is_running() and main.status() != psutil.STATUS_ZOMBIE:
                    return [main.pid, *(child.pid for child in main.children(recursive=True))]
            return []

        found = eventually(pids)
        pid = random.choice(found)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return name.partition("-")[0] if pid == found[0] else f"{name}'s child"

    def _supervise(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            for name, process in list(self._running.items()):
                if process.poll() is not None:
                    self._start(name)

    def _start(self, name: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._commands[name], cwd=ROOT, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )


@contextmanager
def running(dixa_url: str, commands: Mapping[str, Sequence[str]], **environ: str) -> Iterator[Cluster]:
    with TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder), dixa_url, commands, **environ)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
