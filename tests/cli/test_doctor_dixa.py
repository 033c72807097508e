"""`afterword doctor` compares the set-up with Dixa. Each fault is found, and mended as the line says."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from service.records.processes import Processes
from service.sandbox.dixa.subscriptions import Subscription
from service.sandbox.server import Sandbox
from tests.cli.conftest import Runner
from tests.cli.test_doctor import findings
from tests.cli.test_subscribe import URL

TAGGED = '[[survey]]\ndeliver = ["message"]\n[survey.match]\nwith_tags = ["vip"]\nwithout_tags = ["spam"]\n'
QUEUED = '[[survey]]\n[survey.match]\nqueues = ["Returns"]\ncontact_points = ["support@nordlys.example", "Web chat"]\n'


@pytest.fixture(autouse=True)
def own(dixa: Sandbox) -> Iterator[Subscription]:
    """Return the only subscription."""
    before = dict(dixa.state.subscriptions)
    dixa.state.subscriptions.clear()
    made = Subscription(URL)
    dixa.state.subscriptions[made.id] = made
    yield made
    dixa.state.subscriptions.clear()
    dixa.state.subscriptions.update(before)


def found(run: Runner, name: str, *, fails: bool = True, surveys: str | None = None, **environ: str) -> list[str]:
    """Return the findings of one check."""
    given = {"surveys": surveys} if surveys else {}
    return findings(run("doctor", "--only", name, fails=fails, **given, **environ).output)[name]


def test_missing_subscription_is_found_and_made(run: Runner, dixa: Sandbox, own: Subscription) -> None:
    del dixa.state.subscriptions[own.id]
    assert found(run, "webhook.subscription") == [
        f"fail Dixa has no webhook subscription for {URL}. Run: afterword subscribe."
    ]
    run("subscribe")
    found(run, "webhook.subscription", fails=False)


def test_disabled_subscription_without_an_event_is_found_and_repaired(run: Runner, own: Subscription) -> None:
    own.enabled = False
    own.events.remove("ConversationRated")
    disabled, lacking = found(run, "webhook.subscription")
    assert disabled.startswith('fail the subscription "Afterword" is disabled. Run: ')
    assert "lacks the events ConversationRated" in lacking
    run("subscribe")
    found(run, "webhook.subscription", fails=False)


def test_subscription_without_the_authorization_is_found(run: Runner, own: Subscription) -> None:
    bearer = "Bearer 0123456789abcdef0123456789abcdef"
    assert "sends no Authorization" in found(run, "webhook.subscription", DIXA_WEBHOOK_AUTHORIZATION=bearer)[0]
    own.headers["Authorization"] = bearer
    found(run, "webhook.subscription", fails=False, DIXA_WEBHOOK_AUTHORIZATION=bearer)


def test_wrong_secret_is_found_and_mended_by_what_subscribe_prints(run: Runner, own: Subscription) -> None:
    output = run("doctor", "--only", "webhook.secret", fails=True).output
    assert "the subscription's key is not among DIXA_WEBHOOK_SECRETS" in output
    assert own.secret not in output
    printed = run("subscribe").output.splitlines()[-1].partition("=")[2]
    found(run, "webhook.secret", fails=False, DIXA_WEBHOOK_SECRETS=printed)


def test_failed_delivery_is_found(run: Runner, dixa: Sandbox) -> None:
    assert found(run, "webhook.delivery", fails=False) == ["ok Dixa has sent none of late."]
    dixa.loses_webhooks()
    dixa.close(dixa.make_conversation())
    (failed,) = found(run, "webhook.delivery")
    assert failed.startswith("fail the last ConversationClosed of ")
    assert "got 503" in failed
    assert "afterword recover" in failed


def test_hour_without_webhooks_is_found(run: Runner, keys: redis.Redis) -> None:
    assert "none has come yet" in found(run, "webhook.last")[0]
    now = keys.time()[0]
    Processes(keys, {}, webhook_at=lambda: float(now)).write("web")
    found(run, "webhook.last", fails=False)
    Processes(keys, {}, webhook_at=lambda: now - timedelta(minutes=75).total_seconds()).write("web")
    assert found(run, "webhook.last") == [
        "warn the last one came 75 min ago. If that is unusual, see webhook.subscription and public_url."
    ]


def test_missing_tag_fails_if_it_is_needed(run: Runner, dixa: Sandbox) -> None:
    dixa.state.tags.clear()
    spam, vip = found(run, "dixa.tags", surveys=TAGGED)
    assert spam.startswith('warn surveys.toml names the tag "spam", which Dixa does not have. ')
    assert vip.startswith('fail surveys.toml names the tag "vip", which Dixa does not have. ')
    for name in ("Spam", "VIP"):
        dixa.state.tag(name)
    found(run, "dixa.tags", fails=False, surveys=TAGGED)


def test_missing_queue_and_contact_point_fail(run: Runner, dixa: Sandbox) -> None:
    dixa.state.queues.clear()
    dixa.make_conversation(queue="Support")
    assert 'names the queue "Returns"' in found(run, "dixa.queues", surveys=QUEUED)[0]
    dixa.make_conversation(queue="returns")
    found(run, "dixa.queues", fails=False, surveys=QUEUED)
    other = QUEUED.replace("support@", "help@")
    assert 'names the contact point "help@nordlys.example"' in found(run, "dixa.queues", surveys=other)[0]


def test_sender_has_to_be_an_agent(run: Runner, dixa: Sandbox) -> None:
    surveys = '[[survey]]\n[survey.sender]\nagent = "{}"\n'
    nobody = "5e9c1b5e-7a43-4b0e-9d7e-6a2f0d5e8c10"
    assert f"names {nobody} as a sender" in found(run, "dixa.agents", surveys=surveys.format(nobody))[0]
    known = surveys.format(dixa.state.agents[0].id)
    assert found(run, "dixa.agents", fails=False, surveys=known) == ["ok senders: Mads Lund."]


def test_clocks_are_compared(run: Runner) -> None:
    """The sandbox runs on this machine. Its `Date` is cut to the second, and the response takes a while."""
    assert "s ahead of Dixa's" in found(run, "dixa.clock", fails=False)[0]
    assert "Set it with NTP" in found(run, "dixa.clock", WEBHOOK_TOLERANCE="1ms")[0]


def test_json_shows_no_secret(run: Runner, own: Subscription) -> None:
    output = run("doctor", "--only", "webhook", "--json", fails=True).output
    assert {each["id"] for each in json.loads(output)} >= {"webhook.subscription", "webhook.secret"}
    assert own.secret not in output
