"""`afterword try-rules` applies cooldown, daily cap and opt-outs, and ignores Afterword's own ratings."""

from datetime import UTC, datetime, timedelta

from service.rules.identity import Identities
from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from tests.cli.conftest import Runner
from tests.cli.dry_run import ONE, close, dry_run
from tests.harness import AT_ONCE, Story
from tests.processes import SECRET_KEY


def test_cooldown_applies_in_the_order_of_closing(run: Runner, dixa: Sandbox) -> None:
    customer, same_address = (Person("Ida Holm", "ida@example.com") for _ in range(2))
    for days_ago in (20, 1, 12):
        close(dixa, days_ago=days_ago, requester=customer)
    close(dixa, days_ago=2, requester=same_address)
    surveys = ONE.replace("[survey.match]", 'cooldown = "10d"\n[survey.match]')
    found = dry_run(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 2}, {"asked_recently": 2})


def test_daily_cap_applies_to_each_day(run: Runner, dixa: Sandbox) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0) - timedelta(days=4)
    for day in (0, 0, 0, 1):
        conversation = dixa.conversation(close(dixa))
        conversation.closed_at = conversation.state_updated_at = noon + timedelta(days=day)
    surveys = ONE.replace("[survey.match]", "daily_cap = 2\n[survey.match]")
    found = dry_run(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 3}, {"daily_cap": 1})


def test_afterwords_own_ratings_are_ignored(run: Runner, story: Story) -> None:
    story.ask(story.begin(AT_ONCE))
    assert dry_run(run)["asked"] == {"one": 1}


def test_opted_out_customer_is_skipped(run: Runner, story: Story) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    story.opt_outs.add(customer.id)
    close(story.dixa, requester=customer)
    assert dry_run(run)["skipped"] == {"opted_out": 1}


def test_same_person_as_an_opted_out_customer_is_skipped(run: Runner, story: Story) -> None:
    person = Identities([SECRET_KEY]).hashes_of("another-id", "ida@example.com")
    story.opt_outs.add("another-id", person)
    close(story.dixa, requester=Person("Ida Holm", "Ida@example.com"))
    assert dry_run(run)["skipped"] == {"opted_out": 1}
