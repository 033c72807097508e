"""Secrets are replaced in running processes: nothing is refused meanwhile, and the old one is refused afterwards."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests
from aiosmtpd.smtp import AuthResult

from service.sandbox.dixa.model import Person
from service.sandbox.dixa.webhooks import sign
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from service.surveys.links import LinkError, Links
from tests.integration.conftest import QUICK, Opener
from tests.integration.live_survey import find_link
from tests.integration.test_starts import replace_children
from tests.polling import eventually
from tests.processes import API_TOKEN, SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer
from tests.smtp import USER, authenticator_for, post_office
from tests.web.webhook_client import closed

NEW_WEBHOOK_SECRET = "00112233445566778899aabbccddeeff"
NEW_SECRET_KEY = "a-newer-key-for-the-links-of-the-tests-0123456789"
NEW_API_TOKEN = "sandbox-token-after-the-rotation"
OLD_PASSWORD, NEW_PASSWORD = "password-of-last-year", "password-of-this-year"
SURVEYS = '[[survey]]\ndelay = "0s"\neditable_for = "0s"\nsuspect_editable_for = "0s"\ncooldown = "0s"\ndeliver = {}\n'
CUSTOMER = Person("Freja Lindqvist", "freja@lindqvist.example", "+46701234567")


class Installation:
    """Web and worker whose secrets are in files."""

    def __init__(self, folder: Path, environ: dict[str, str], deliver: tuple[str, ...] = ("message",)) -> None:
        self._folder = folder
        self._write("surveys.toml", SURVEYS.format(json.dumps(deliver)))
        secrets = {"DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET, "SECRET_KEYS": SECRET_KEY, "DIXA_API_TOKEN": API_TOKEN}
        given = QUICK | environ | {"SURVEYS_FILE": str(folder / "surveys.toml")}
        for name, value in secrets.items():
            given |= {name: "", f"{name}_FILE": self._write(name, value)}
        self.afterword = Afterword(folder, given)

    def write_and_reload(self, name: str, value: str, *processes: str) -> None:
        """Write a secret, send a HUP to these processes, and wait until they have read it."""
        self._write(name, value)
        for process in processes:
            pid = self.afterword.pid_of(process)
            if process == "web":
                replace_children(self.afterword, lambda pid=pid: os.kill(pid, signal.SIGHUP))  # type: ignore[misc]
            else:
                starts = eventually(lambda: self.starts_of_worker)
                os.kill(pid, signal.SIGHUP)
                eventually(lambda starts=starts: self.starts_of_worker > starts)  # type: ignore[misc]

    @property
    def starts_of_worker(self) -> int:
        return self.afterword.log_of("worker").count(" ready.")

    def _write(self, name: str, value: str) -> str:
        (self._folder / name).write_text(f"{value}\n")
        return str(self._folder / name)


@contextmanager
def steadily(act: Callable[[], object]) -> Iterator[list[object]]:
    """Repeat an act in a thread, and collect what it returns or raises."""
    results: list[object] = []
    ended = Event()

    def run() -> None:
        # The short pause leaves CPU to the processes.
        while not ended.wait(0.02):
            try:
                results.append(act())
            except requests.RequestException as error:
                results.append(error)

    thread = Thread(target=run)
    thread.start()
    try:
        yield results
        done = len(results)
        eventually(lambda: len(results) > done + 10)
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def dixa(open_dixa: Opener) -> Sandbox:
    """A sandbox whose tokens the test may change."""
    return open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None))


@pytest.fixture
def environ(redis_server: RedisServer, dixa: Sandbox) -> dict[str, str]:
    return {"REDIS_URL": redis_server.new_database(), "DIXA_API_URL": dixa.api_url}


@pytest.fixture
def installation(tmp_path: Path, environ: dict[str, str]) -> Iterator[Installation]:
    found = Installation(tmp_path, environ)
    yield found
    found.afterword.stop()


def send_webhook(afterword: Afterword, secret: str) -> int:
    body = json.dumps(closed()).encode()
    return requests.post(afterword.webhook_url, body, headers=sign(body, secret), timeout=30).status_code


def link_of_new_survey(dixa: Sandbox) -> str:
    """Close a conversation, and wait for its link."""
    number = dixa.make_conversation()
    dixa.close(number)
    sent = eventually(lambda: find_link([each for each in dixa.messages(number) if each.direction == "Outbound"]))
    assert sent
    return sent


def test_webhook_secret_is_rotated_without_a_refused_webhook(installation: Installation) -> None:
    afterword = installation.afterword.start("web")
    secrets = [WEBHOOK_SECRET]
    with steadily(lambda: send_webhook(afterword, secrets[0])) as statuses:
        installation.write_and_reload("DIXA_WEBHOOK_SECRETS", f"{NEW_WEBHOOK_SECRET},{WEBHOOK_SECRET}", "web")
        secrets[0] = NEW_WEBHOOK_SECRET
        so_far = len(statuses)
        # One with the old secret may still be under way.
        eventually(lambda: len(statuses) > so_far + 2)
        installation.write_and_reload("DIXA_WEBHOOK_SECRETS", NEW_WEBHOOK_SECRET, "web")
    assert set(statuses) == {202}
    assert send_webhook(afterword, WEBHOOK_SECRET) == 401


def test_links_work_while_their_key_is_rotated(installation: Installation, dixa: Sandbox) -> None:
    afterword = installation.afterword.start()
    dixa.sends_webhooks_to(afterword.webhook_url)
    old = link_of_new_survey(dixa)
    with steadily(lambda: requests.get(old, timeout=30).status_code) as statuses:
        # The web first: it has to read the links that the worker signs.
        installation.write_and_reload("SECRET_KEYS", f"{NEW_SECRET_KEY},{SECRET_KEY}", "web", "worker")
        new = link_of_new_survey(dixa)
        token = new.rpartition("/")[2]
        assert Links([NEW_SECRET_KEY], afterword.url).read(token).offers
        with pytest.raises(LinkError):
            Links([SECRET_KEY], afterword.url).read(token)
    assert set(statuses) == {200}
    assert requests.post(old, {"rating": "4"}, timeout=30, allow_redirects=False).status_code == 303
    installation.write_and_reload("SECRET_KEYS", NEW_SECRET_KEY, "web")
    assert [requests.get(link, timeout=30).status_code for link in (old, new)] == [404, 200]


def test_api_token_is_rotated_without_a_refused_call(installation: Installation, dixa: Sandbox) -> None:
    afterword = installation.afterword.start()
    dixa.sends_webhooks_to(afterword.webhook_url)
    dixa.api.tokens = (API_TOKEN, NEW_API_TOKEN)
    with steadily(lambda: bool(link_of_new_survey(dixa))) as links:
        installation.write_and_reload("DIXA_API_TOKEN", NEW_API_TOKEN, "worker")
        dixa.api.tokens = (NEW_API_TOKEN,)
    assert set(links) == {True}
    assert [call.status for call in dixa.calls if call.status == 401] == []


def test_password_of_the_mail_server_is_rotated_without_a_refused_login(
    tmp_path: Path, environ: dict[str, str], dixa: Sandbox
) -> None:
    passwords = [OLD_PASSWORD, NEW_PASSWORD]

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        found = [authenticator_for(USER, each)(server, session, envelope, mechanism, data) for each in passwords]
        return next((each for each in found if each.success), found[0])

    with post_office(auth_require_tls=False, authenticator=authenticate) as (taken, server):
        url = f"smtp://{USER}:{{}}@{server.host}:{server.port}?starttls=off"
        file = tmp_path / "SMTP_URL"
        file.write_text(url.format(OLD_PASSWORD))
        more = {
            "SMTP_URL_FILE": str(file),
            "MAIL_FROM": "survey@northwind.example",
            "STEP_BUDGET": "8s",
            "LEASE": "16s",
        }
        installation = Installation(tmp_path, environ | more, ("email",))
        afterword = installation.afterword.start()

        def ask() -> None:
            before = len(taken.mails)
            dixa.close(dixa.make_conversation(channel="PstnPhone", requester=CUSTOMER))
            eventually(lambda: len(taken.mails) > before)

        try:
            dixa.sends_webhooks_to(afterword.webhook_url)
            ask()
            installation.write_and_reload("SMTP_URL", url.format(NEW_PASSWORD), "worker")
            passwords.remove(OLD_PASSWORD)
            ask()
        finally:
            afterword.stop()
    assert taken.logins == [True, True]
    assert OLD_PASSWORD not in afterword.log
    assert NEW_PASSWORD not in afterword.log
