"""`make audit` with the real pip-audit, and an index of vulnerabilities on this machine."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.audit import FOUND, UNKNOWN, audit
from tests.processes import ROOT, free_port

VULNERABILITY = {
    "id": "PYSEC-2026-1",
    "details": "Invented.",
    "aliases": [],
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "requests", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
            "versions": [],
        }
    ],
}


@contextmanager
def index(answer: Callable[[str], dict[str, Any]]) -> Iterator[str]:
    """Serve an index like OSV's, which gives this answer about a package."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(answer(query["package"]["name"])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def run(url: str) -> int:
    return audit(["--vulnerability-service=osv", f"--osv-url={url}"])


def test_vulnerability_of_a_package_is_named_with_its_fix(capsys: pytest.CaptureFixture[str]) -> None:
    with index(lambda name: {"vulns": [VULNERABILITY]} if name == "requests" else {}) as url:
        assert run(url) == FOUND
    assert ": PYSEC-2026-1, fixed in 99.0\n" in capsys.readouterr().out


def test_all_packages_are_looked_up(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def answer(name: str) -> dict[str, Any]:
        asked.append(name)
        return {}

    with index(answer) as url:
        assert run(url) == 0
    assert {"flask", "celery", "redis", "requests", "limits", "sentry-sdk"} <= set(asked)
    assert f"{len(asked)} packages audited, 0 known" in capsys.readouterr().out


def test_index_that_is_not_reachable_is_no_vulnerability(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"http://127.0.0.1:{free_port()}/v1/query") == UNKNOWN
    assert "Not audited" in capsys.readouterr().out


def test_ci_fails_on_vulnerabilities_only() -> None:
    assert f"-m tests.audit || [ $? = {UNKNOWN} ]" in (ROOT / ".ci/run").read_text()
