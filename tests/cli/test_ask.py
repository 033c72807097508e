"""`afterword ask`: one conversation by hand, once, and past the named rules only."""

from datetime import UTC, datetime, timedelta

import pytest

from service.sandbox.dixa.model import Person
from service.surveys.reasons import Reason
from service.surveys.states import FoundBy, OfferState
from tests.cli.conftest import Runner
from tests.cli.dry_run import close
from tests.harness import AT_ONCE, CSAT, Story
from tests.records.steps import DAY

IDA = Person("Ida Holm", "ida@example.com", "+4520123456")
ONE = """
[[survey]]
name = "one"
editable_for = "0s"
"""
HOUR = 1 / 24


def asked(run: Runner, number: int, *despite: str, surveys: str = ONE) -> str:
    options = [part for each in despite for part in ("--despite", each)]
    return run("ask", str(number), *options, surveys=surveys).output


def refused(run: Runner, number: int, *despite: str, surveys: str = ONE, **environ: str) -> str:
    options = [part for each in despite for part in ("--despite", each)]
    return run("ask", str(number), *options, surveys=surveys, fails=True, **environ).output


def test_a_conversation_without_a_record_is_asked_once(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR, requester=IDA)
    output = asked(run, number)
    assert "Survey one will be sent by message" in output
    assert "Accepted." in output
    assert "close.recovered" not in output, "the log is for the processes"
    record = story.ask(str(number))
    assert record.offer.state is OfferState.DELIVERED
    assert record.close
    assert record.close.found_by is FoundBy.OPERATOR
    assert abs(record.close.closed_at - (datetime.now(UTC) - timedelta(hours=1))) < timedelta(minutes=5)
    assert len(record.close.person) == 3, "the requester's id, address and number"
    again = refused(run, number)
    assert "The customer was asked about this close." in again
    assert len(story.dixa.offers()) == 1
    assert "Requested by an operator: afterword ask." in run("why", str(number)).output


def test_asking_twice_and_a_late_webhook_ask_once(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR)
    for _ in range(2):
        asked(run, number)
    found = story.load(str(number)).close
    assert found
    story.close(number, AT_ONCE, closed_at=found.closed_at + timedelta(seconds=5))
    assert [each.survey_id for each in story.records.load_rounds(number)] == [str(number)]
    story.ask(str(number))
    assert len(story.dixa.offers(number)) == 1


def test_a_dry_run_writes_nothing(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR)
    assert "nothing was written" in run("ask", str(number), "--dry-run", surveys=ONE).output
    assert not story.records.load(str(number))


@pytest.mark.parametrize(
    ("rule", "reason", "facts"),
    [
        ('channels = ["Sms"]', "channel", {}),
        ('queues = ["Sales"]', "queue", {"queue": "Returns"}),
        ('directions = ["Outbound"]', "direction", {}),
        ('without_tags = ["spam"]', "tag_excluded", {"tags": ["spam"]}),
        ('with_tags = ["vip"]', "tag_missing", {}),
        ("sample = 0.0000001", "not_sampled", {}),
        ("assigned = true", "unassigned", {"agent": False}),
        ('languages = ["da"]', "language", {}),
        ("min_customer_messages = 1", "few_customer_messages", {}),
        ("min_agent_messages = 1", "few_agent_messages", {}),
        ('addresses = ["@nordlys.example"]', "address", {}),
        ('contact_points = ["sales@nordlys.example"]', "contact_point", {}),
        ('assignee_types = ["Bot"]', "assignee_type", {}),
    ],
)
def test_a_rule_is_named_and_lifted_by_its_reason(
    run: Runner, story: Story, rule: str, reason: str, facts: dict[str, object]
) -> None:
    number = close(story.dixa, days_ago=HOUR, **facts)
    deliver = 'deliver = ["message"]' if facts != {"agent": False} else 'deliver = ["email"]'
    surveys = f"{ONE}{deliver}\n[survey.match]\n{rule}\n"
    mail = {"SMTP_URL": "smtp://localhost:2525", "MAIL_FROM": "help@nordlys.example"}
    output = run("ask", str(number), surveys=surveys, fails=True, **mail).output
    assert f"Not asked: {reason}." in output
    assert f"To ask all the same: afterword ask {number} --despite {reason}" in output
    assert not story.records.load(str(number))
    assert "Accepted." in run("ask", str(number), "--despite", reason, surveys=surveys, **mail).output
    if facts != {"agent": False}:
        assert story.ask(str(number)).offer.state is OfferState.DELIVERED


def test_an_assignee_that_dixa_has_as_an_agent_is_a_member(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR)
    assert "Accepted." in asked(run, number, surveys=f'{ONE}[survey.match]\nassignee_types = ["Member"]\n')


def test_a_skipped_survey_is_asked_in_a_round_of_its_own(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR, requester=IDA)
    first = story.close(number)
    assert story.load(first).offer.reason == Reason.NO_SURVEY_MATCHES
    asked(run, number, "delay")
    assert story.ask(f"{number}-2").offer.state is OfferState.DELIVERED
    assert "was asked about this close" in refused(run, number)
    assert len(story.dixa.offers(number)) == 1


def test_cooldown_and_daily_cap_are_forecast_and_lifted(run: Runner, story: Story) -> None:
    surveys = ONE + "daily_cap = 1\n"
    first, second = (close(story.dixa, days_ago=HOUR, requester=IDA) for _ in range(2))
    asked(run, first, surveys=surveys)
    story.ask(str(first))
    assert "Not asked: asked_recently." in refused(run, second, surveys=surveys)
    output = refused(run, second, "asked_recently", surveys=surveys)
    assert "Not asked: daily_cap." in output
    assert f"afterword ask {second} --despite asked_recently --despite daily_cap" in output
    asked(run, second, "asked_recently", "daily_cap", surveys=surveys)
    assert story.ask(str(second)).offer.state is OfferState.DELIVERED


def test_delay_and_lateness_are_lifted(run: Runner, story: Story) -> None:
    soon = close(story.dixa, days_ago=0)
    slow = ONE + 'delay = "2h"\n'
    asked(run, soon, surveys=slow)
    due_at = story.load(str(soon)).offer.due_at
    assert due_at
    assert due_at > datetime.now(UTC) + timedelta(hours=1)
    asked(run, soon, "delay", surveys=slow)
    assert story.ask(str(soon)).offer.state is OfferState.DELIVERED
    late = close(story.dixa, days_ago=10)
    assert "Not asked: too_late." in refused(run, late)
    assert "Not asked: too_late." in refused(run, late, "delay")
    asked(run, late, "delay", "too_late")
    assert story.ask(str(late)).offer.state is OfferState.DELIVERED


@pytest.mark.parametrize("trait", ["id", "address", "number"])
def test_an_opt_out_is_never_passed(run: Runner, story: Story, trait: str) -> None:
    """The API's conversation of a chat has no address: the requester has."""
    number = close(story.dixa, days_ago=HOUR, requester=IDA, channel="WidgetChat")
    run("opt-out", {"id": IDA.id, "address": "ida@example.com", "number": "+4520123456"}[trait])
    output = refused(run, number)
    assert "Not asked: opted_out." in output
    assert "No option asks in spite of this." in output
    assert run("ask", str(number), "--despite", "opted_out", fails=True).exit_code == 2


def test_an_opt_out_after_the_command_still_counts(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR, requester=IDA)
    asked(run, number)
    run("opt-out", "ida@example.com")
    assert story.ask(str(number)).offer.reason == Reason.OPTED_OUT


def test_a_rating_in_dixa_is_never_passed(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR)
    story.dixa.make_rating(number)
    assert "Not asked: already_surveyed." in refused(run, number)
    assert not story.records.load(str(number))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"direction": "Internal"}, "internal"),
        ({"requester": Person("Mads", "mads@nordlys.example", user_type="Member")}, "member"),
        ({"requester": Person("No reply", "no-reply@example.com")}, "machine"),
        ({"channel": "PstnPhone"}, "unreachable"),
    ],
)
def test_what_is_never_asked_is_not_asked_by_hand(
    run: Runner, story: Story, facts: dict[str, object], reason: str
) -> None:
    output = refused(run, close(story.dixa, days_ago=HOUR, **facts))
    assert f"Not asked: {reason}." in output
    assert "No option" in output


def test_a_conversation_that_is_not_closed_is_refused(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR)
    story.dixa.reopen(number)
    assert "It isn't closed: Dixa shows the state Open." in refused(run, number)
    story.dixa.close(number)
    story.dixa.erase(number)
    assert "anonymised" in refused(run, number)
    assert "Nothing was done. Conversation 7: Dixa returned 404" in refused(run, 7)


def test_a_later_close_follows_on_reclose_and_needs_news(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=DAY.days, requester=IDA)
    asked(run, number)
    story.ask(str(number))
    conversation = story.dixa.conversation(number)
    conversation.closed_at = conversation.state_updated_at = datetime.now(UTC) + timedelta(minutes=3)
    assert "Not asked: closed_again." in refused(run, number)
    assert "Not asked: nothing_new." in refused(run, number, "closed_again")
    assert "No option" in refused(run, number, "closed_again")


def test_an_answered_a_failed_and_an_erased_survey_are_refused(run: Runner, story: Story) -> None:
    answered, failed, erased = (close(story.dixa, days_ago=HOUR) for _ in range(3))
    for number in (answered, failed, erased):
        asked(run, number)
    story.complete(str(answered), {CSAT: 5})
    assert "The customer has answered." in refused(run, answered)
    story.dixa.fails(times=1, status=400, call="offer")
    assert story.ask(str(failed)).offer.state is OfferState.FAILED
    assert f"afterword retry {failed}" in refused(run, failed)
    story.records.erase(story.load(str(erased)))
    assert "its data is deleted" in refused(run, erased)


def test_an_outage_of_dixa_is_told(run: Runner, story: Story) -> None:
    number = close(story.dixa, days_ago=HOUR)
    story.dixa.fails(times=2, status=401)
    assert "Dixa is unavailable" in refused(run, number)
