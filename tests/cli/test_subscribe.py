"""`afterword subscribe` makes the webhook subscription, and repairs it. A second time changes nothing."""

from collections.abc import Iterator

import pytest

from service.dixa.subscriptions import EVENTS
from service.sandbox.dixa.subscriptions import Subscription
from service.sandbox.server import Sandbox
from tests.cli.conftest import Runner
from tests.processes import PUBLIC_URL

URL = f"{PUBLIC_URL}/webhooks/dixa"


@pytest.fixture(autouse=True)
def subscriptions(dixa: Sandbox) -> Iterator[dict[str, Subscription]]:
    """Keep the subscriptions of other tests out."""
    before = dict(dixa.state.subscriptions)
    dixa.state.subscriptions.clear()
    yield dixa.state.subscriptions
    dixa.state.subscriptions.clear()
    dixa.state.subscriptions.update(before)


def test_subscription_is_made_once_and_its_key_is_shown(run: Runner, subscriptions: dict[str, Subscription]) -> None:
    output = run("subscribe", DIXA_WEBHOOK_SECRETS="").output
    (made,) = subscriptions.values()
    assert (made.url, frozenset(made.events), made.enabled) == (URL, EVENTS, True)
    assert output.splitlines()[-1] == f"DIXA_WEBHOOK_SECRETS={made.secret}"
    before = made.updated_at
    output = run("subscribe", DIXA_WEBHOOK_SECRETS=made.secret).output
    assert "is as it should be" in output
    assert made.secret not in output
    assert (len(subscriptions), made.updated_at) == (1, before)


def test_subscription_is_repaired(run: Runner, subscriptions: dict[str, Subscription]) -> None:
    own = Subscription("https://old.example/webhooks/dixa", events=["ConversationClosed", "ConversationTagAdded"])
    other = Subscription("https://other.example/hook", enabled=False)
    own.enabled = False
    subscriptions.update({each.id: each for each in (own, other)})
    output = run("subscribe", DIXA_WEBHOOK_SECRETS=own.secret).output
    assert own.url == URL
    assert own.enabled
    assert set(own.events) == EVENTS | {"ConversationTagAdded"}
    assert 'Changed "Afterword": url: ' in output
    assert (other.url, other.enabled) == ("https://other.example/hook", False)
    assert len(subscriptions) == 2


def test_dry_run_changes_nothing(run: Runner, subscriptions: dict[str, Subscription]) -> None:
    assert f"Would subscribe {URL} to ConversationAbandoned, " in run("subscribe", "--dry-run").output
    assert not subscriptions
    own = Subscription(URL, enabled=False)
    subscriptions[own.id] = own
    output = run("subscribe", "--dry-run", DIXA_WEBHOOK_SECRETS=own.secret).output
    assert 'Would change "Afterword": enabled: True.' in output
    assert not own.enabled


def test_another_url_can_be_given(run: Runner, subscriptions: dict[str, Subscription]) -> None:
    run("subscribe", "--url", "https://hooks.northwind.example/webhooks/dixa")
    assert [each.url for each in subscriptions.values()] == ["https://hooks.northwind.example/webhooks/dixa"]


def test_refusal_of_dixa_is_told(run: Runner, dixa: Sandbox) -> None:
    output = run("subscribe", fails=True, DIXA_API_TOKEN="another-token").output
    assert "Error: Dixa: Dixa returned 401" in output


@pytest.mark.parametrize(
    ("setting", "header"),
    [
        ("Bearer first-token-0123456789,Bearer other-token-0123456789", "Bearer first-token-0123456789"),
        ("Basic dixa:pass:word:0123456789", "Basic ZGl4YTpwYXNzOndvcmQ6MDEyMzQ1Njc4OQ=="),
    ],
)
def test_subscription_gets_the_authorization_of_the_settings(
    run: Runner, subscriptions: dict[str, Subscription], setting: str, header: str
) -> None:
    own = Subscription(URL)
    subscriptions[own.id] = own
    given = {"DIXA_WEBHOOK_SECRETS": own.secret, "DIXA_WEBHOOK_AUTHORIZATION": setting}
    output = run("subscribe", **given).output
    assert own.headers == {"Authorization": header}
    assert "authorization: the first of DIXA_WEBHOOK_AUTHORIZATION" in output
    assert "0123456789" not in output
    assert "is as it should be" in run("subscribe", **given).output
    subscriptions.clear()
    run("subscribe", **given)
    (made,) = subscriptions.values()
    assert made.headers == {"Authorization": header}
