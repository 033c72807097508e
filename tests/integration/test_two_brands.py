"""The shipped two-brands.toml in real processes: each brand's customers see only their own brand."""

import re
from dataclasses import dataclass

import pytest
import requests

from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.integration.conftest import Opener, Starter
from tests.integration.live_survey import find_link
from tests.polling import eventually
from tests.processes import API_TOKEN, ROOT, WEBHOOK_SECRET, Afterword

EXAMPLE = (ROOT / "config" / "examples" / "two-brands.toml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Expected:
    """The identifying values of a brand, and the answer to its survey."""

    name: str
    contact_point: str
    accent: str
    form: dict[str, str]

    @property
    def host(self) -> str:
        return f"{self.name.lower()}.example"


NORTHWIND = Expected("Northwind", "help@northwind.example", "#1d4ed8", {"rating": "4"})
TIDEWATER = Expected("Tidewater", "hello@tidewater.example", "#9d174d", {"rating": "9"})
BOTH = pytest.mark.parametrize(("brand", "other"), [(NORTHWIND, TIDEWATER), (TIDEWATER, NORTHWIND)])


@pytest.fixture(scope="module")
def dixa_of_both(open_dixa: Opener) -> Sandbox:
    """Start a sandbox with a mail server."""
    return open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None, smtp_port=0))


@pytest.fixture(scope="module")
def afterword_of_both(start: Starter, dixa_of_both: Sandbox) -> Afterword:
    """Start Afterword with the shipped file without delays, and with a third brand in the environment."""
    surveys, count = re.subn(r"(?m)^delay = .*", 'delay = "0s"', EXAMPLE)
    assert count == 2
    afterword = start(
        surveys,
        dixa_url=dixa_of_both.api_url,
        SMTP_URL=dixa_of_both.smtp_url,
        MAIL_FROM="Holding <survey@holding.example>",
        BRAND_NAME="Holding",
        SUPPORT_URL="https://holding.example/help",
        PRIVACY_URL="https://holding.example/privacy",
        STEP_BUDGET="8s",
        LEASE="16s",
    )
    dixa_of_both.sends_webhooks_to(afterword.webhook_url)
    return afterword


def closed(dixa: Sandbox, brand: Expected, channel: str, requester: Person) -> int:
    number = dixa.make_conversation(channel=channel, requester=requester)
    dixa.conversation(number).contact_point = brand.contact_point
    dixa.close(number)
    return number


def assert_is_of(page: requests.Response, brand: Expected, other: Expected) -> None:
    """Assert that the page has the values of this brand only."""
    assert f"<header><bdi>{brand.name}</bdi></header>" in page.text
    assert f"– {brand.name}</title>" in page.text
    assert brand.accent in page.text
    for value in (other.name, other.accent, other.host, "Holding", "holding.example"):
        assert value not in page.text


@BOTH
def test_message_and_pages_show_only_the_brand_of_the_survey(
    afterword_of_both: Afterword, dixa_of_both: Sandbox, brand: Expected, other: Expected
) -> None:
    requester = Person(f"Mia {brand.name}", f"mia@{brand.host}")
    number = closed(dixa_of_both, brand, "WidgetChat", requester)

    def sent() -> str | None:
        return find_link([each for each in dixa_of_both.messages(number) if each.direction == "Outbound"])

    link = eventually(sent)
    assert link
    (message,) = [each.value for each in dixa_of_both.messages(number) if "/s/" in each.value]
    assert other.name not in message
    assert "Holding" not in message
    if brand is TIDEWATER:
        assert "recommend Tidewater to a friend?" in message
    form = requests.get(link, timeout=30)
    assert f'<a href="https://{brand.host}/privacy">' in form.text
    assert_is_of(form, brand, other)
    assert_is_of(requests.post(link, {}, timeout=30), brand, other)
    assert_is_of(requests.get(f"{link}/stop", timeout=30), brand, other)
    assert_is_of(requests.post(link, brand.form, timeout=30), brand, other)
    assert_is_of(requests.get(link, timeout=30), brand, other)
    assert_is_of(requests.post(f"{link}/stop", {}, timeout=30), brand, other)


@BOTH
def test_email_shows_only_the_brand_of_the_survey(
    afterword_of_both: Afterword, dixa_of_both: Sandbox, brand: Expected, other: Expected
) -> None:
    requester = Person(f"Nils {brand.name}", f"nils@{brand.host}")
    closed(dixa_of_both, brand, "PstnPhone", requester)
    mails = eventually(lambda: dixa_of_both.mail_store.to(requester.email))
    assert mails
    (mail,) = mails
    assert str(mail.message["From"]) == f"{brand.name} <survey@{brand.host}>"
    assert str(mail.message["Reply-To"]) == f"{brand.name} <{brand.contact_point}>"
    assert brand.accent in mail.html
    assert f"https://{brand.host}/privacy" in mail.html
    assert f"you were in touch with {brand.name}" in mail.html
    for value in (other.name, other.accent, other.host, "Holding", "holding.example"):
        assert value not in mail.html
    links = re.findall(r'href="([^"]+)"', mail.html)
    form, stop = (next(each for each in links if end in each) for end in ("?r=", "/stop"))
    assert_is_of(requests.get(form, timeout=30), brand, other)
    assert_is_of(requests.get(stop, timeout=30), brand, other)
