"""`afterword list` finds surveys by state, reason and time."""

import json
from collections.abc import Mapping
from typing import Any

import redis

from service.records.listing import Listing
from service.surveys.reasons import Reason
from tests.cli.conftest import Runner
from tests.harness import CSAT, Story
from tests.records.steps import DAY, close_of


def listed(run: Runner, *options: str) -> Mapping[str, Any]:
    lines = run("list", "--json", *options).stdout.splitlines()
    found = {each["survey_id"]: each for each in map(json.loads, lines)}
    assert len(found) == len(lines)
    return found


def test_surveys_are_found_by_the_state_of_any_journey(run: Runner, story: Story) -> None:
    waiting, asked, answered = story.begin(), story.begin(), story.begin()
    story.ask(asked)
    story.complete(answered, {CSAT: 4})
    assert set(listed(run)) == {waiting, asked, answered}
    assert set(listed(run, "--state", "waiting")) == {waiting}
    assert set(listed(run, "--state", "submitted", "--state", "waiting")) == {waiting, answered}
    found = listed(run, "--state", "submitted")[answered]
    assert (found["conversation_id"], found["survey"], found["reasons"]) == (int(answered), "default", {})
    assert found["states"]["offer"] == "delivered"
    assert listed(run, "--state", "failed") == {}


def test_surveys_are_found_by_reason(run: Runner, story: Story) -> None:
    story.records.accept(close_of(7), [], Reason.CHANNEL)
    story.records.accept(close_of(8), [], Reason.MACHINE)
    story.begin()
    assert set(listed(run, "--reason", "machine")) == {"8"}
    assert set(listed(run, "--reason", "machine", "--reason", "channel", "--state", "skipped")) == {"7", "8"}
    assert "offer skipped: machine" in run("list", "--reason", "machine").output


def test_since_is_about_the_time_of_acceptance(run: Runner, story: Story, keys: redis.Redis) -> None:
    earlier, later = story.begin(), story.begin()
    accepted_at = story.load(earlier).accepted_at - DAY
    keys.hset(f"afterword:survey:{earlier}", "accepted_at", int(accepted_at.timestamp() * 1000))
    assert set(listed(run, "--since", "12h")) == {later}
    assert set(listed(run, "--since", "2d")) == {earlier, later}


def test_the_list_ends_at_the_limit_and_says_so(run: Runner, story: Story) -> None:
    for number in range(1, 4):
        story.records.accept(close_of(number), [], Reason.CHANNEL)
    assert len(run("list", "--limit", "2").stdout.splitlines()) == 2
    assert "More than --limit 2 match." in run("list", "--limit", "2").stderr
    assert "match" not in run("list", "--limit", "3").stderr


def test_many_surveys_are_read_in_small_steps(story: Story, keys: redis.Redis) -> None:
    for number in range(1, 1201):
        keys.hset(
            f"afterword:survey:{number}", mapping={"survey_id": number, "accepted_at": 1, "offer_state": "failed"}
        )
    calls = keys.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"]
    assert {each.survey_id for each in Listing.beside(story.records).list_all()} == {*map(str, range(1, 1201))}
    assert keys.info("commandstats")["cmdstat_scan"]["calls"] - calls >= 3
