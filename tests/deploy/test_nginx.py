"""The nginx of deploy/nginx in front of the real web: all requests pass, and no log has a link."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
import trustme

from service.records.records import Records
from service.sandbox.dixa.webhooks import closed_event, sign
from service.surveys.links import Links
from service.web.app import create_app
from tests import sandboxes
from tests.deploy.manifests import DEPLOY
from tests.deploy.tools import program, run
from tests.integration.live_survey import LiveSurvey
from tests.polling import eventually
from tests.processes import SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer, free_port, patient, settings_for

CONFIG = (DEPLOY / "nginx" / "afterword.conf").read_text(encoding="utf-8")
HOST = "feedback.example.com"
COMMENT = "Nobody but us may read this."
SURVEYS = """
[[survey]]
name = "at-once"
delay = "0s"
editable_for = "1h"
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    folder: Path
    port: int
    plain_port: int

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def access_log(self) -> str:
        return (self.folder / "afterword.log").read_text(encoding="utf-8")

    @property
    def logs(self) -> str:
        return "".join(each.read_text(encoding="utf-8") for each in self.folder.glob("*.log"))

    @property
    def config(self) -> Path:
        return self.folder / "nginx.conf"

    def write_config(self, upstream: int) -> None:
        """Write the example with the ports, folders and certificate of this test."""
        example = re.sub(r"\n *listen \[::\][^\n]*", "", CONFIG)
        replaced = {
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            HOST: "localhost",
            "/etc/letsencrypt/live/localhost": str(self.folder),
            "/var/log/nginx": str(self.folder),
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        }
        for old, new in replaced.items():
            assert old in example
            example = example.replace(old, new)
        folders = "".join(
            f"{kind}_temp_path {self.folder}/temp; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.config.write_text(
            f"daemon off; pid {self.folder}/pid; error_log stderr; events {{}}\nhttp {{ {folders}\n{example}\n}}\n",
            encoding="utf-8",
        )


@pytest.fixture
def nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nginx:
    """Make a certificate for localhost, which the clients of this process trust."""
    program("nginx")
    authority, folder = trustme.CA(), tmp_path / "nginx"
    folder.mkdir()
    folder.chmod(0o755)
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "fullchain.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "privkey.pem"))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "authority.pem"))
    return Nginx(folder, free_port(), free_port())


@contextmanager
def running(nginx: Nginx, upstream: int) -> Iterator[None]:
    nginx.write_config(upstream)
    process = subprocess.Popen([program("nginx"), "-e", "stderr", "-c", str(nginx.config)])
    try:
        eventually(lambda: _listens(nginx, process))
        yield
    finally:
        process.terminate()
        process.wait()


def _listens(nginx: Nginx, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "nginx has ended"
    try:
        return bool(requests.get(f"{nginx.url}/healthz", timeout=30).status_code)
    except requests.RequestException:
        return False


def test_nginx_accepts_the_example(nginx: Nginx) -> None:
    nginx.write_config(8000)
    run("nginx", "-t", "-e", "stderr", "-c", nginx.config)


def test_all_requests_pass_and_no_log_has_a_link(nginx: Nginx, tmp_path: Path, redis_server: RedisServer) -> None:
    (tmp_path / "surveys.toml").write_text(SURVEYS, encoding="utf-8")
    with sandboxes.sandbox() as dixa:
        environ = {
            "REDIS_URL": redis_server.new_database(),
            "DIXA_API_URL": dixa.api_url,
            "PUBLIC_URL": nginx.url,
            "PROXY_HOPS": "1",
            "SURVEYS_FILE": str(tmp_path / "surveys.toml"),
            "RELAY_INTERVAL": "50ms",
        }
        afterword = Afterword(tmp_path, environ).start()
        client = patient(afterword.redis_url)
        records = Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
        try:
            with running(nginx, afterword.port):
                survey = LiveSurvey(dixa, records, Links([SECRET_KEY], nginx.url), dixa.make_conversation())
                _close(survey, nginx)
                tokens = _visit(survey, nginx)
                assert _is_limited_in_spite_of_forged_addresses(nginx)
                assert requests.get(survey.link(), timeout=60).status_code == 200
                afterword.kill("web")
                assert requests.get(survey.link(), timeout=60).status_code == 502
        finally:
            afterword.stop()
            client.close()
    assert survey.record.answer
    lines = [line.split()[2:5] for line in nginx.access_log.splitlines()]
    assert ["POST", "/webhooks/dixa", "202"] in lines
    assert ["GET", "***", "200"] in lines
    assert ["POST", "***", "303"] in lines
    assert ["GET", "***", "502"] in lines
    logs = nginx.logs
    assert [each for each in tokens if each in logs] == []
    assert COMMENT not in logs


def _close(survey: LiveSurvey, nginx: Nginx) -> None:
    survey.dixa.close(survey.id)
    body = json.dumps(closed_event(survey.conversation, survey.dixa.state.organization)).encode()
    sent = requests.post(f"{nginx.url}/webhooks/dixa", body, headers=sign(body, WEBHOOK_SECRET), timeout=60)
    assert sent.status_code == 202, sent.text


def _visit(survey: LiveSurvey, nginx: Nginx) -> list[str]:
    """Use the link in several spellings, and return what no log may have."""
    link = survey.link()
    token = urlsplit(link).path.rpartition("/")[2]
    page = requests.get(link, timeout=60)
    assert page.status_code == 200
    assert page.headers["Strict-Transport-Security"]
    sent = survey.answer(rating="5", comment=COMMENT)
    assert [each.status_code for each in sent.history] == [303]
    assert sent.history[0].headers["Location"].startswith(("/", nginx.url))
    for path in (
        f"/s/{token}/stop",
        f"//s//{token}?r=5",
        f"/%73/{token}",
        f"/s/{token}).",
        f"/s/{token}\u200b?lang=da",
    ):
        assert requests.get(nginx.url + path, timeout=60).status_code == 200, path
    moved = requests.get(f"http://localhost:{nginx.plain_port}/s/{token}", timeout=60, allow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (301, f"https://localhost/s/{token}")
    # Names that only look like one of ours, and a query with a link.
    for path in (f"/healthz/{token}", f"/healthz?next={token}", f"/webhooks/dixa/s/{token}", f"/?{token}"):
        requests.get(nginx.url + path, timeout=60)
    return [token, quote(token[:40]), token[:40]]


def _is_limited_in_spite_of_forged_addresses(nginx: Nginx) -> bool:
    """Send webhooks without a signature until one is refused for their number, each from another address, it says."""
    url = f"{nginx.url}/webhooks/dixa"
    with requests.Session() as session:
        sent = (
            session.post(url, json={}, headers={"X-Forwarded-For": f"6.6.6.{each}"}, timeout=60) for each in range(200)
        )
        return any(each.status_code == 429 for each in sent)


def test_log_names_every_path_without_a_token(nginx: Nginx) -> None:
    known = re.search(r"\(\?<known>(\S+)\)\(", CONFIG)
    assert known
    rules = create_app(settings_for("redis://127.0.0.1:1/0")).url_map.iter_rules()
    for rule in rules:
        assert bool(re.fullmatch(known[1], rule.rule)) == (not rule.arguments), rule.rule


class _Upstream(BaseHTTPRequestHandler):
    """Responds with the headers and the length of the request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        shown = json.dumps({"headers": dict(self.headers), "length": len(body)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(shown)))
        self.end_headers()
        self.wfile.write(shown)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: Any) -> None:
        pass


def test_addresses_are_nginxs_own_and_bodies_are_whole(nginx: Nginx) -> None:
    with HTTPServer(("127.0.0.1", 0), _Upstream) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            with running(nginx, server.server_port):
                forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
                chunks = iter([b"a" * 1000] * 50)
                found = requests.post(f"{nginx.url}/webhooks/dixa", data=chunks, headers=forged, timeout=60).json()
                too_large = requests.post(f"{nginx.url}/webhooks/dixa", data=b"a" * 400_000, timeout=60)
        finally:
            server.shutdown()
    headers = found["headers"]
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert (headers["X-Forwarded-Host"], headers["X-Forwarded-Proto"], headers["Host"]) == (
        "localhost",
        "https",
        "localhost",
    )
    assert (headers["Content-Length"], found["length"]) == ("50000", 50_000)
    assert too_large.status_code == 413
