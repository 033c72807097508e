"""A drain keeps the order. It sets corrupt entries aside, and a failing entry delays only its own conversation."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.intake.spool import Entry, EntryError, EntryIsNewer, Spool
from service.records.answer_transitions import GivenAnswer
from service.surveys.links import Link
from tests.harness import AT_ONCE, CSAT, Story, without_redis
from tests.intake.folders import Down, drain_all, open_spool


def test_entries_are_drained_in_order(spool: Spool) -> None:
    entries: list[Entry] = [{"number": number, "text": "Tak 🙂"} for number in range(50)]
    for entry in entries:
        spool.put(entry)
    assert spool.waiting() == 50
    assert drain_all(spool) == entries
    assert (spool.waiting(), drain_all(spool)) == (0, [])


@pytest.mark.parametrize("body", [b"", b'{"half":', b"[]", b"7", b"\xff\xfe", b"null", b"[" * 100_000])
def test_a_corrupt_file_is_set_aside_and_reported(spool: Spool, tmp_path: Path, body: bytes) -> None:
    spool.put({"number": 1})
    (tmp_path / "spool" / "0-corrupt.json").write_bytes(body)
    with capture_logs() as logs:
        assert drain_all(spool) == [{"number": 1}]
    assert [(each["event"], each["file"]) for each in logs] == [("spool.corrupt", "0-corrupt.json")]
    assert (spool.waiting(), spool.corrupt()) == (0, 1)
    assert (tmp_path / "spool" / "corrupt" / "0-corrupt.json").read_bytes() == body


def test_an_invalid_entry_is_set_aside(spool: Spool) -> None:
    spool.put({"kind": "unknown"})
    spool.put({"kind": "answer"})
    taken = []

    def take(entry: Entry) -> None:
        if entry["kind"] == "unknown":
            raise EntryError("an unknown kind")
        taken.append(entry)

    assert spool.drain(take) == 1
    assert (taken, spool.corrupt()) == ([{"kind": "answer"}], 1)


def test_an_outage_during_a_drain_keeps_the_remaining_entries(spool: Spool) -> None:
    for number in range(4):
        spool.put({"number": number})

    def take(entry: Entry) -> None:
        if entry["number"] == 2:
            raise Down

    with pytest.raises(Down):
        spool.drain(take)
    assert drain_all(spool) == [{"number": 2}, {"number": 3}]


def drain_all_but_the_first(spool: Spool, *, times: int) -> list[int]:
    """Drain several times with a failing entry of number 0. Return the numbers of the drained entries."""
    taken: list[int] = []

    def take(entry: Entry) -> None:
        if entry["number"] == 0:
            raise Down
        taken.append(entry["number"])

    for _ in range(times):
        with pytest.raises(Down):
            spool.drain(take)
    return taken


def test_a_failing_entry_does_not_block_other_entries_forever(spool: Spool) -> None:
    for number in range(3):
        spool.put({"number": number})
    assert drain_all_but_the_first(spool, times=4) == [1, 2]
    assert spool.waiting() == 1


def test_an_unreadable_file_does_not_block_other_entries_forever(spool: Spool, tmp_path: Path) -> None:
    """The test uses a folder, since its user may read every file."""
    (tmp_path / "spool" / "0.json").mkdir()
    spool.put({"number": 1})
    taken: list[Entry] = []
    for _ in range(4):
        with pytest.raises(OSError, match="directory"):
            spool.drain(taken.append)
    assert taken == [{"number": 1}]


def test_a_long_outage_keeps_the_order(spool: Spool) -> None:
    entries: list[Entry] = [{"number": number} for number in range(5)]
    for entry in entries:
        spool.put(entry)

    def refuse(entry: Entry) -> None:
        raise Down

    for _ in range(25):
        with pytest.raises(Down):
            spool.drain(refuse)
    assert drain_all(spool) == entries


def test_a_failing_entry_delays_its_own_conversation(spool: Spool) -> None:
    entries = [{"conversation_id": conversation, "number": n} for n, conversation in enumerate([7, 8, 7, 9])]
    for entry in entries:
        spool.put(entry)
    assert drain_all_but_the_first(spool, times=9) == [1, 3]
    assert drain_all(spool) == [entries[0], entries[2]]


def test_an_entry_of_a_newer_version_waits_for_that_version(spool: Spool, tmp_path: Path) -> None:
    for version in (2, 1, 2):
        spool.put({"v": version})
    tried, taken = [], []

    def take(entry: Entry) -> None:
        tried.append(entry["v"])
        if entry["v"] > 1:
            raise EntryIsNewer("newer")
        taken.append(entry["v"])

    with capture_logs() as logs:
        assert [spool.drain(take) for _ in range(5)] == [1, 0, 0, 0, 0]
    assert (taken, tried) == ([1], [2, 1, 2])
    assert (spool.waiting(), spool.left_to_newer(), spool.corrupt()) == (2, 2, 0)
    assert [(each["event"], each["entries"]) for each in logs] == [("spool.newer", 2)]
    assert drain_all(open_spool(tmp_path / "spool")) == [{"v": 2}, {"v": 2}]
    assert spool.left_to_newer() == 0


def test_only_one_of_two_drainers_drains(spool: Spool, tmp_path: Path) -> None:
    other = open_spool(tmp_path / "spool")
    for number in range(3):
        spool.put({"number": number})
    seen: list[Any] = []

    def take(entry: Entry) -> None:
        seen.append((entry["number"], drain_all(other)))

    assert spool.drain(take) == 3
    assert seen == [(0, []), (1, []), (2, [])]


OLD_ANSWER = (
    '{"v": 1, "kind": "answer", "survey_id": "%s", "conversation_id": %s, "survey": "default", '
    '"rating_ids": {"Csat": "0e2f"}, "terms": {"name": "default", "ratings": ["Csat"]}, "scores": {"Csat": %d}, '
    '"comment": "%s", "language": "el", "is_suspect": false, "answered_at": 17785440000%02d}'
)


def test_files_of_an_older_version_are_drained_in_order(story: Story, spool: Spool, tmp_path: Path) -> None:
    """The older version wrote a file for each answer, with escaped letters."""
    survey_id = story.begin()
    for number, comment in enumerate(["\\u03b5\\u03cd\\u03b3\\u03b5", ""]):
        body = OLD_ANSWER % (survey_id, survey_id, 3 + number, comment, number)
        (tmp_path / "spool" / f"0177854400000000000{number}-4711-{number}.json").write_text(body)
    assert spool.drain(story.intake().take_spooled) == 2
    answered = story.load(survey_id).answered
    assert (answered.scores, answered.comment) == ({CSAT: 4}, "εύγε")


@pytest.mark.parametrize(("ahead", "score"), [(timedelta(), 1), (timedelta(seconds=-40), 5)], ids=["right", "fast"])
def test_a_spooled_answer_has_the_time_of_the_redis_clock(
    story: Story, spool: Spool, ahead: timedelta, score: int
) -> None:
    """The clock of the web's host is right, or 40 s fast. The web has measured the difference."""
    survey_id = story.begin(replace(AT_ONCE, editable_for=timedelta(hours=1)))
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 5})
    offline = story.intake(spool=spool)
    offline._records = without_redis(story.records)
    offline._records.clock_offset = ahead
    offline.take_answer(GivenAnswer(Link.to(story.load(survey_id)), AT_ONCE, {CSAT: 1}, "", "en"))
    assert spool.drain(story.intake().take_spooled) == 1
    assert story.load(survey_id).answered.scores == {CSAT: score}
