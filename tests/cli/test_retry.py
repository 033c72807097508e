"""`afterword retry` and `mark-restored` report what they found and did."""

from tests.cli.conftest import Runner
from tests.harness import Story


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
