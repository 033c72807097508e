"""`afterword recover` takes the closes that no webhook brought, once."""

from datetime import UTC, datetime, timedelta

import redis

from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from service.surveys.model import Close
from service.surveys.reasons import Reason
from service.surveys.states import FoundBy, OfferState
from tests.cli.conftest import Runner
from tests.cli.dry_run import close
from tests.contents import contents
from tests.harness import AT_ONCE, Story

ONE = """
[[survey]]
name = "one"
delay = "30m"
"""
HOUR = 1 / 24


def recover(run: Runner, *options: str, surveys: str = ONE, **environ: str) -> str:
    return run("recover", *options, surveys=surveys, **environ).output


def take_webhook(story: Story, number: int) -> None:
    """Take the webhook of a close in the past."""
    found = story.dixa.conversation(number)
    assert found.closed_at
    story.intake(AT_ONCE).take_close(Close(number, found.closed_at, channel=found.channel, event_id=str(number)))


def test_exactly_the_missed_closes_are_taken_and_a_second_time_changes_nothing(
    run: Runner, story: Story, keys: redis.Redis
) -> None:
    known, missed, other = (close(story.dixa, days_ago=HOUR) for _ in range(3))
    too_old = close(story.dixa, days_ago=7 * HOUR)
    take_webhook(story, known)
    output = recover(run)
    assert "3 conversations closed, 2 of them without a record." in output
    assert "2 recovered" in output
    assert {number: story.records.load(str(number)) is not None for number in (known, missed, other, too_old)} == {
        known: True,
        missed: True,
        other: True,
        too_old: False,
    }
    record = story.load(str(missed))
    assert record.close
    assert record.close.found_by is FoundBy.SEARCH
    assert "its webhook had not arrived. Dixa's search has the conversation." in run("why", str(missed)).output
    before = contents(keys, but="afterword:pace:")
    assert "0 of them without a record" in recover(run)
    assert contents(keys, but="afterword:pace:") == before


def test_a_later_close_of_a_conversation_with_a_record_is_found(run: Runner, story: Story) -> None:
    """Both closes are within the time. Only the activity log shows that there were two."""
    number = close(story.dixa, days_ago=HOUR)
    take_webhook(story, number)
    story.dixa.reopen(number)
    story.dixa.close(number)
    assert "1 of them without a record" in recover(run, "--since", "2h")
    assert "0 of them without a record" in recover(run, "--since", "2h")
    record = story.load(str(number))
    assert record.close
    assert record.close.found_by is FoundBy.SEARCH
    assert datetime.now(UTC) - record.close.closed_at < timedelta(minutes=5)


def test_the_delay_counts_from_the_close_and_an_old_one_is_too_late(run: Runner, story: Story) -> None:
    fresh, old = close(story.dixa, days_ago=HOUR / 3), close(story.dixa, days_ago=5)
    recover(run, "--since", "6d")
    due_at = story.load(str(fresh)).offer.due_at
    assert due_at
    assert timedelta(minutes=8) < due_at - datetime.now(UTC) < timedelta(minutes=11)
    assert story.ask(str(old)).offer.reason == Reason.TOO_LATE
    assert story.dixa.offers(old) == []


def test_a_recovered_close_follows_rules_cooldowns_and_opt_outs(run: Runner, story: Story) -> None:
    ida, bo = Person("Ida Holm", "ida@example.com"), Person("Bo", "bo@example.com", "+4520123456")
    colleague = Person("Mads", "mads@nordlys.example", user_type="Member")
    first, second, opted_out = (
        close(story.dixa, days_ago=HOUR, requester=each, channel="WidgetChat") for each in (ida, ida, bo)
    )
    internal = close(story.dixa, days_ago=HOUR, requester=colleague)
    spam = close(story.dixa, days_ago=HOUR, tags=["spam"])
    run("opt-out", "+4520123456")
    recover(run, surveys=ONE + '[survey.match]\nwithout_tags = ["spam"]\n')
    states = [story.ask(str(number)).offer for number in (first, second, opted_out, spam)]
    assert states[0].state is OfferState.DELIVERED or states[1].state is OfferState.DELIVERED
    assert [each.reason for each in states[1:]] == [Reason.ASKED_RECENTLY, Reason.OPTED_OUT, Reason.TAG_EXCLUDED]
    assert story.load(str(internal)).offer.reason == Reason.MEMBER


def test_a_customer_whose_record_was_lost_after_the_offer_is_not_asked_again(
    run: Runner, story: Story, keys: redis.Redis
) -> None:
    """As after a restore of Redis from a backup, or a failover."""
    number = close(story.dixa, days_ago=HOUR)
    recover(run)
    assert story.ask(str(number)).offer.state is OfferState.DELIVERED
    keys.flushdb()
    recover(run)
    assert story.ask(str(number)).offer.reason == Reason.ALREADY_SURVEYED
    assert len(story.dixa.offers(number)) == 1


def test_a_conversation_open_again_or_anonymised_is_left_alone(run: Runner, story: Story) -> None:
    reopened, erased = close(story.dixa, days_ago=HOUR), close(story.dixa, days_ago=HOUR)
    story.dixa.reopen(reopened)
    story.dixa.erase(erased)
    output = recover(run)
    assert "2 open again, anonymised, on record by now, or outside" in output
    assert not story.records.load(str(reopened))
    assert not story.records.load(str(erased))


def test_an_unreadable_conversation_does_not_end_the_recovery(run: Runner, story: Story) -> None:
    numbers = [close(story.dixa, days_ago=HOUR) for _ in range(2)]
    story.dixa.fails(status=404, call="conversation")
    output = recover(run)
    assert "1 recovered" in output
    assert "1 not shown by Dixa" in output
    assert "1 recovered" in recover(run)
    assert all(story.records.load(str(each)) for each in numbers)


def test_a_long_recovery_needs_confirmation(run: Runner, dixa: Sandbox) -> None:
    for _ in range(61):
        close(dixa, days_ago=HOUR)
    output = run("recover", surveys=ONE, fails=True, DIXA_PACE="9.9/3").output
    assert "61 conversations closed, 61 of them without a record." in output
    assert "2 calls each, 2.0 calls a second (a fifth of DIXA_PACE): 62 s." in output
    assert "Begin?" in output
    assert {each.call for each in dixa.calls} == {"subscriptions", "search", "activity_log"}
    assert "61 recovered" in recover(run, "--yes", DIXA_PACE="1000/9")


def test_what_was_taken_before_dixa_failed_stays(run: Runner, story: Story) -> None:
    numbers = [close(story.dixa, days_ago=HOUR) for _ in range(3)]
    story.after("end_user", lambda: story.dixa.fails(times=2, status=401))
    assert "What was taken stays." in run("recover", surveys=ONE, fails=True).output
    assert sum(story.records.load(str(each)) is not None for each in numbers) == 1
    assert "2 recovered" in recover(run)
