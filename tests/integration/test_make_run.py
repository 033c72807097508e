"""A newcomer starts, uses and stops `make run`."""

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from tests.polling import eventually
from tests.processes import ROOT

URL = re.compile(r"http://127\.0\.0\.1:\d+")


class LocalStack:
    """A run of `make run` and its output."""

    def __init__(self, output: Path) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service.sandbox.run"],
                cwd=ROOT,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        eventually(lambda: "Ctrl-C" in self.printed or self.process.poll() is not None)
        self.urls = URL.findall(self.printed)

    @property
    def printed(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def local_stack(folder: Path) -> Iterator[LocalStack]:
    # Only one process of the tests runs it at a time: two starts at once would choose the same ports.
    with Path(__file__).open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = LocalStack(folder / "output")
        try:
            yield running
        finally:
            running.process.terminate()
            running.process.wait(120)


def assert_all_end(running: LocalStack, processes: list[psutil.Process]) -> None:
    running.process.wait(120)
    assert not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_inbox_is_the_first_url_and_a_killed_worker_is_restarted(tmp_path: Path) -> None:
    with local_stack(tmp_path) as running:
        assert "Inbox" in requests.get(running.urls[0], timeout=30).text
        assert "What customers see" in requests.get(f"{running.urls[0]}/preview", timeout=30).text
        ((window, user, password),) = re.findall(r"(http\S+/operator): user (\w+), password (\S+)\.\n", running.printed)
        assert requests.get(window, auth=(user, password), timeout=30).ok
        worker = next(each for each in running.children() if is_worker(each))
        worker.kill()
        eventually(lambda: "worker has ended and is started again" in running.printed)
        eventually(lambda: any(is_worker(each) for each in running.children() if each != worker))
        processes = running.children()
        running.process.send_signal(signal.SIGTERM)
        assert_all_end(running, processes)


def test_why_shows_a_delivery_and_ctrl_c_stops_every_process(tmp_path: Path) -> None:
    with local_stack(tmp_path) as running:
        command, conversation = re.findall(r"^ +(cd \S+ && \S+ why (\d+))$", running.printed, re.MULTILINE)[0]
        requests.post(f"{running.urls[0]}/conversations/{conversation}/close", timeout=30).raise_for_status()

        def story() -> str:
            ran = subprocess.run(["sh", "-c", command], cwd=ROOT, env={}, capture_output=True, text=True, check=False)
            return ran.stdout + ran.stderr

        eventually(lambda: "Delivered" in story())
        processes = running.children()
        assert {"redis-server", "gunicorn"} <= {name for each in processes for name in program_names(each)}
        assert any(map(is_worker, processes))
        os.killpg(running.process.pid, signal.SIGINT)
        assert_all_end(running, processes)
        assert running.process.returncode == 0


def is_worker(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[1:3] == ["-m", "workers"]
    except psutil.NoSuchProcess:
        return False


def program_names(process: psutil.Process) -> list[str]:
    """Return the names of the programs in a command line."""
    try:
        return [Path(word.split(" ")[0].rstrip(":")).name for word in process.cmdline()[:2]]
    except psutil.NoSuchProcess:
        return []
