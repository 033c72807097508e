"""`afterword retry` and `mark-restored` report what they found and did."""

from dataclasses import replace
from datetime import timedelta

from service.surveys.definition import OnReclose
from service.surveys.states import OfferState
from tests.cli.conftest import Runner
from tests.harness import AT_ONCE, Story
from tests.moments import moment


def test_retry_without_a_record_reports_it(run: Runner) -> None:
    assert run("retry", "7", fails=True).output == "Error: There is no record of conversation 7.\n"


def test_retry_without_a_failure_reports_it(run: Runner, story: Story) -> None:
    survey_id = story.begin()
    error = f"Error: Nothing of conversation {survey_id} has failed. See: afterword why {survey_id}\n"
    assert run("retry", survey_id, fails=True).output == error


def test_a_record_older_than_mark_restored_is_reconciled(run: Runner, story: Story) -> None:
    earlier = story.begin()
    done = "Done. Every record made before now is reconciled with Dixa before its next call.\n"
    assert run("mark-restored").output == done
    assert story.ask(earlier).reconcile_first


def fail(story: Story, *, times: int = 1) -> str:
    survey_id = story.begin()
    story.dixa.fails(times=times, status=400, call="offer")
    assert story.ask(survey_id).offer.state is OfferState.FAILED
    return survey_id


def test_all_failed_surveys_are_retried_after_confirmation(run: Runner, story: Story) -> None:
    failed, waiting, delivered = [fail(story), fail(story)], story.begin(), story.begin()
    story.ask(delivered)
    output = run("retry", "--all-failed", fails=True).output
    assert "Failed: 2 offers." in output
    assert "Retry them? [y/N]" in output
    assert all(story.load(each).offer.state is OfferState.FAILED for each in failed)
    assert "Due again now: 2 offers." in run("retry", "--all-failed", "--yes").output
    assert all(story.ask(each).offer.state is OfferState.DELIVERED for each in failed)
    assert story.load(waiting).offer.state is OfferState.WAITING
    assert run("retry", "--all-failed").output == "Nothing has failed.\n"


def test_only_the_given_reasons_are_retried(run: Runner, story: Story) -> None:
    refused = fail(story)
    story.records.erase(story.load(fail(story)))
    assert run("retry", "--all-failed", "--yes", "--reason", "not_found").output == "Nothing has failed.\n"
    assert "Due again now: 1 offer." in run("retry", "--all-failed", "--yes", "--reason", "refused").output
    assert story.load(refused).offer.retried_at


def test_the_offer_of_an_earlier_round_is_not_retried(run: Runner, story: Story) -> None:
    first = fail(story)
    again = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS)
    later = story.close(int(first), again, closed_at=moment() + timedelta(minutes=5))
    assert later == f"{first}-2"
    assert run("retry", "--all-failed").output == "Nothing has failed.\n"


def test_a_conversation_or_all_of_them_is_needed(run: Runner) -> None:
    for arguments in (["retry"], ["retry", "7", "--all-failed"], ["retry", "7", "--yes"]):
        assert run(*arguments, fails=True).exit_code == 2
