"""The views "Funnel", "Results" and "Answers": a support lead's questions, answered from the page alone."""

import re
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.archive.schema import Stage
from service.records.due_archive import DueArchive
from service.records.names import Names, NamesInDixa
from service.records.records import Records
from service.reports.reading import read_report
from service.reports.results import Group
from service.reports.scores import Scores
from service.surveys.ratings import RatingType
from service.web.operator.reports import Labels
from service.web.operator.results import MAX_ROWS, sort_groups
from tests.processes import patient
from tests.reports.rows import row_with
from tests.web.operator.filled_window import fill
from tests.web.operator.window_client import look, make_window

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
FUNNEL, RESULTS, ANSWERS = "/operator/funnel", "/operator/results", "/operator/answers"
NAMES = NamesInDixa({"a-1": "Ida Holm", "a-2": "<b>Jonas</b>"}, {"q-1": "Orders", "q-2": "Returns"})


def words(html: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html.partition("<main")[2].partition("</main")[0]).split()))


def answered(count: int, csat: int | None = 5, **columns: Any) -> list[dict[str, Any]]:
    """Return answered surveys of the last hours, with their results in Dixa."""
    times = {"closed_at": NOW - 5 * HOUR, "asked_at": NOW - 4 * HOUR, "delivered_at": NOW - 4 * HOUR}
    after = {"answered_at": NOW - 2 * HOUR, "submitted_at": NOW - HOUR, "final_at": NOW + 20 * 24 * HOUR}
    took = {"seconds_to_delivery": 3600, "seconds_to_dixa": 360, "csat": csat, "state": Stage.SUBMITTED}
    return [row_with(survey="default", **{**times, **after, **took, **columns}) for _ in range(count)]


def delivered(count: int, **columns: Any) -> list[dict[str, Any]]:
    missing = {"answered_at": None, "submitted_at": None, "csat": None, "seconds_to_dixa": None}
    return answered(count, **{**missing, "state": Stage.DELIVERED, **columns})


def skipped(count: int, reason: str, rule: str, **columns: Any) -> list[dict[str, Any]]:
    why = {"reason": reason, "rule": rule, "mismatches": [["default", reason, rule], ["phone", "queue", "queues = []"]]}
    return [
        row_with(survey="default", state=Stage.SKIPPED, closed_at=NOW - HOUR, **why, **columns) for _ in range(count)
    ]


class Filled:
    """Makes windows with an archive of given rows."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self.redis_url, self.url = redis_url, f"sqlite:///{folder}/archive.db"
        self.records = Records(patient(redis_url), lease=timedelta(minutes=1), keep=timedelta(days=90))

    def window(self, rows: Iterable[dict[str, Any]], **environ: str) -> FlaskClient:
        archive = fill(self.url, [{**row, "survey_id": f"{number}"} for number, row in enumerate(rows)])
        DueArchive.beside(self.records).restart(archive)
        Names.beside(self.records).store(NAMES)
        return make_window(self.redis_url, **{"ARCHIVE_URL": self.url} | environ)


@pytest.fixture
def filled(redis_url: str, tmp_path: Path) -> Filled:
    return Filled(redis_url, tmp_path)


def test_funnel_shows_each_step_and_who_fell_out_with_meaning_and_remedy(filled: Filled) -> None:
    rows = [*answered(4), *delivered(6), *skipped(7, "asked_recently", 'cooldown = "30d"')]
    text = words(look(filled.window(rows), FUNNEL).text)
    for step in (
        "Closed 17",
        "Asked 10 58.8 % of closed",
        "Delivered 10 100 % of asked",
        "Answered 4 40 % of delivered",
    ):
        assert step in text
    assert "In Dixa 4 100 % of answered" in text
    assert "Closed, not asked: 7" in text
    assert "This customer was asked less than cooldown ago." in text
    assert (
        'Shorten cooldown . ( asked_recently ) Rules of asked_recently Rule Survey Count cooldown = "30d" default 7'
        in (text.replace("&#34;", '"'))
    )
    assert "Delivered, not answered: 6" in text
    assert "No answer yet. The link still works." in text


def test_all_mismatches_are_unfolded_by_survey(filled: Filled) -> None:
    window = filled.window(skipped(3, "channel", 'channels = ["Email"]'))
    folded, unfolded = (words(look(window, f"{FUNNEL}{query}").text) for query in ("", "?unfold=mismatches"))
    assert "Mismatches of phone" not in folded
    assert "Mismatches of phone Rule Count queues = [] Its queue is not in queues . 3" in unfolded


def test_how_long_answers_take_to_reach_dixa_is_in_the_funnel(filled: Filled) -> None:
    rows = [*answered(8), *answered(2, seconds_to_dixa=7200), *answered(5, is_suspect=True, seconds_to_dixa=90_000)]
    text = words(look(filled.window(rows), FUNNEL).text)
    assert "From the answer to Dixa 6 min median; 9 of 10 within 2 h 10 answers" in text
    assert "From the close to the link 60 min median" in text


def test_machines_that_click_are_counted_apart(filled: Filled) -> None:
    window = filled.window([*answered(40, 5), *answered(10, 1, is_suspect=True), *delivered(50)])
    assert "Suspected machines 10 of 50 answers" in words(look(window, FUNNEL).text)
    text = words(look(window, RESULTS).text)
    assert "CSAT 100 % 91–100 % of 40 answers" in text
    assert "Suspected machines 10 beside 40 answers of people" in text
    assert "With them CSAT would be 80 %, as in Dixa." in text
    # A machine's click is no response.
    assert "Response rate 40 % 31–50 % of 100 links" in text
    assert "10 answers, newest first" in words(look(window, f"{ANSWERS}?by=machines").text)
    assert "40 answers, newest first" in words(look(window, f"{ANSWERS}?by=people").text)


def test_unhappy_queue_comes_first_and_says_whether_it_differs(filled: Filled) -> None:
    rows = [*answered(40, 5, queue_id="q-1"), *answered(40, 1, queue_id="q-2"), *answered(12, 1, queue_id="q-3")]
    text = words(look(filled.window(rows), RESULTS).text)
    table = text[text.index("Results by queue") :]
    order = [table.index(each) for each in ("Returns", "Orders", "Not ranked: under 30 answers", "q-3")]
    assert order == sorted(order)
    assert re.search(r"Returns 0 % 0–9 % Lower than the others by [\d.–]+ points", table)
    assert re.search(r"Orders 100 % 91–100 % Higher than the others by [\d.–]+ points", table)
    assert "q-3 0 % 0–24 % too few to compare" in table


def test_difference_that_may_be_chance_is_no_difference(filled: Filled) -> None:
    rows = [
        *(row for queue, bad in (("q-1", 10), ("q-2", 14)) for row in answered(40 - bad, 5, queue_id=queue)),
        *(row for queue, bad in (("q-1", 10), ("q-2", 14)) for row in answered(bad, 1, queue_id=queue)),
    ]
    text = words(look(filled.window(rows), RESULTS).text)
    assert text.count("no real difference shown") == 4
    assert "than the others" not in text


def test_who_answers_least_is_sorted_by_response_rate(filled: Filled) -> None:
    rows = [
        *(row for agent, count in (("a-1", 30), ("a-2", 5)) for row in answered(count, agent_id=agent)),
        *(row for agent, count in (("a-1", 30), ("a-2", 55)) for row in delivered(count, agent_id=agent)),
    ]
    html = look(filled.window(rows), f"{RESULTS}?by=agent&sort=response").text
    table = words(html)[words(html).index("Results by agent") :]
    assert table.index("Jonas") < table.index("Ida Holm")
    assert "8 % 4–18 % Lower than the others" in table
    assert "<b>Jonas</b>" not in html


def test_table_by_two_dimensions_links_to_its_filters(filled: Filled) -> None:
    window = filled.window([*answered(3, queue_id="q-1", agent_id="a-1"), *answered(2, queue_id="q-1")])
    html = look(window, f"{RESULTS}?by=queue&then=agent").text
    assert "Orders · Ida Holm" in words(html)
    assert "Orders · No agent" in words(html)
    assert "agent=-" in html
    assert 'href="/operator/answers?by=people&amp;queue=q-1&amp;agent=a-1">3</a>' in html
    assert "No agent" in words(look(window, f"{RESULTS}?agent=-").text)
    assert "2 answers, newest first" in words(look(window, f"{ANSWERS}?agent=-").text)


def test_queue_has_its_name_at_the_last_answer_if_the_token_may_not_list_queues(filled: Filled) -> None:
    later: dict[str, Any] = {"answered_at": NOW - HOUR, "queue_id": "q-9", "queue_name": "Spare parts"}
    window = filled.window([*answered(2, queue_id="q-9", queue_name="Parts"), *answered(1, **later)])
    Names.beside(filled.records).store(NamesInDixa())
    text = words(look(window, RESULTS).text)
    assert "Spare parts" in text
    assert "q-9" not in text


def test_nps_has_a_distribution_from_0_to_10_and_a_sign(filled: Filled) -> None:
    rows = [*answered(10, nps=10), *answered(30, nps=3)]
    text = words(look(filled.window(rows), f"{RESULTS}?rating=nps").text)
    assert "NPS −50" in text
    assert re.search(r"NPS −50 −\d+ to −\d+ of 40 answers, 9–10 minus 0–6", text)
    assert "10 10 25 %" in text


def test_csat_comes_first_if_it_can_be_shown(filled: Filled) -> None:
    window = filled.window([*answered(20, 5, queue_id="q-1"), *answered(90, None, thumbs=1)])
    assert "CSAT 100 %" in words(look(window, RESULTS).text)
    assert "Thumbs up 100 %" in words(look(window, f"{RESULTS}?queue=-").text)
    assert "Distribution Score Answers Share Up 90 100 % Down 0 0 %" in words(
        look(window, f"{RESULTS}?rating=thumbs").text
    )


def test_change_from_the_period_before_is_named_only_if_it_is_real(filled: Filled) -> None:
    before = {"answered_at": NOW - timedelta(days=30), "submitted_at": NOW - timedelta(days=30)}
    window = filled.window([*answered(50, 5), *answered(50, 1, **before)])
    assert re.search(r"▲ Up from 0 %, by [\d.–]+ points", words(look(window, RESULTS).text))
    few = words(look(window, f"{RESULTS}?period=7d").text)
    assert "Too few in the period before to compare" in few


def test_under_ten_answers_no_share_is_shown(filled: Filled) -> None:
    text = words(look(filled.window([*answered(9)]), RESULTS).text)
    assert "CSAT Too few to show: under 10 of 9 answers" in text
    assert "100 %" not in text.partition("By week")[0].partition("Distribution")[0]


def test_chart_without_a_point_is_left_out(filled: Filled) -> None:
    window = filled.window([*answered(9), *delivered(5, queue_id="q-1")])
    assert "CSAT by week No week of this period has 10 answers." in words(look(window, RESULTS).text)
    assert "by week" not in words(look(window, f"{RESULTS}?queue=q-1").text)


def test_response_rate_is_final_when_the_last_link_has_expired(filled: Filled) -> None:
    window = filled.window([*answered(10), *answered(10, queue_id="q-1", final_at=NOW - HOUR)])
    assert "until then its links still work" in words(look(window, RESULTS).text)
    assert "still work" not in words(look(window, f"{RESULTS}?queue=q-1").text)


def test_response_rate_that_can_still_rise_is_not_compared(filled: Filled) -> None:
    earlier = NOW - timedelta(days=30)
    before: dict[str, Any] = {
        "closed_at": earlier,
        "delivered_at": earlier,
        "answered_at": earlier,
        "final_at": earlier + HOUR,
    }
    rows = [*answered(90, **before), *answered(10), *delivered(90), *answered(60, queue_id="q-1", final_at=NOW - HOUR)]
    unanswered = delivered(60, queue_id="q-1", **{**before, "answered_at": None})
    text = words(look(filled.window([*rows, *unanswered]), RESULTS).text)
    assert "of 160 links delivered in this period Before: 60 %. Compared once it is final" in text
    one = words(look(make_window(filled.redis_url, ARCHIVE_URL=filled.url), f"{RESULTS}?queue=q-1").text)
    assert re.search(r"Response rate 100 % 94–100 % of 60 links delivered in this period ▲ Up from 0 %", one)


def test_answers_have_their_comment_and_a_link_to_dixa(filled: Filled) -> None:
    rows = [*answered(1, 2, has_comment=True, comment="<script>alert(1)</script>", conversation_id=48201)]
    window = filled.window(rows, DIXA_APP_URL="https://northwind.dixa.com", ARCHIVE_COMMENTS="on")
    html = look(window, f"{ANSWERS}?mood=low&comment=yes").text
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert 'href="https://northwind.dixa.com/conversation/48201"' in html
    assert "/operator/story?q=48201" in html


def test_without_the_address_of_dixa_there_is_no_link(filled: Filled) -> None:
    html = look(filled.window(answered(1, has_comment=True, conversation_id=48201)), ANSWERS).text
    assert "Conversation 48201" in html
    assert "/conversation/48201" not in html
    assert "With a comment, which is in Dixa." in words(html)


def test_older_answers_follow_by_a_link(filled: Filled) -> None:
    rows = [row for minute in range(60) for row in answered(1, answered_at=NOW - HOUR - minute * timedelta(minutes=1))]
    window = filled.window([{**row, "conversation_id": number} for number, row in enumerate(rows, 1000)])
    first = look(window, ANSWERS).text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = look(window, following[1].replace("&amp;", "&")).text
    found = [re.findall(r"Conversation (\d+)", html) for html in (first, second)]
    assert found[0] + found[1] == [str(number) for number in range(1000, 1060)]
    assert "Back to the newest" in second


def test_strange_cursor_is_named(filled: Filled) -> None:
    response = look(filled.window([]), f"{ANSWERS}?after=x")
    assert response.status_code == 400
    assert "Begin with the newest answers" in response.text


@pytest.mark.parametrize("view", [FUNNEL, RESULTS, ANSWERS])
@pytest.mark.parametrize(
    "query", ["", "?from=2017-01-01", "?by=shoe-size&then=queue&sort=luck&rating=x&mood=x&comment=x&unfold=x"]
)
def test_every_view_works_without_any_survey(filled: Filled, view: str, query: str) -> None:
    assert look(filled.window([]), view + query).status_code == 200


@pytest.mark.parametrize("view", [FUNNEL, RESULTS, ANSWERS])
def test_archive_that_is_off_names_the_way_out(redis_url: str, view: str) -> None:
    response = look(make_window(redis_url, ARCHIVE_URL="off"), view)
    assert response.status_code == 503
    assert "Write ARCHIVE_URL , restart web and workers" in words(response.text)


def test_archive_that_no_worker_has_written_names_the_way_out(redis_url: str, tmp_path: Path) -> None:
    response = look(make_window(redis_url, ARCHIVE_URL=f"sqlite:///{tmp_path}/none.db"), FUNNEL)
    assert response.status_code == 503
    assert "No worker has written the archive yet (SQLITE_CANTOPEN). What to do: Start a worker." in words(
        response.text
    )


def test_archive_that_cannot_be_read_names_the_way_out(filled: Filled, redis_url: str, tmp_path: Path) -> None:
    filled.window([])
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    response = look(make_window(redis_url, ARCHIVE_URL=f"sqlite:///{tmp_path}/broken.db"), RESULTS)
    assert response.status_code == 503
    assert "can't read the archive (SQLITE_NOTADB)" in words(response.text)
    assert "Give web and workers the same ARCHIVE_URL" in words(response.text)


def test_archive_older_than_what_the_workers_wrote_is_named(filled: Filled) -> None:
    window = filled.window(answered(3))
    assert "not the latest" not in look(window, FUNNEL).text
    DueArchive.beside(filled.records).restart("another")
    text = words(look(window, FUNNEL).text)
    assert "These numbers are not the latest" in text
    assert "Closed 3" in text


def test_query_runs_in_a_thread_beside_the_event_loop(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def noting(*args: Any) -> Any:
        threads.append(threading.get_ident())
        return read_report(*args)

    monkeypatch.setattr("service.web.operator.reports.read_report", noting)
    assert look(filled.window([]), FUNNEL).status_code == 200
    assert threads
    assert threading.get_ident() not in threads


def test_more_rows_than_anybody_reads_are_counted() -> None:
    groups = [Group((f"q-{number}",), Scores(RatingType.CSAT), delivered=40) for number in range(MAX_ROWS + 5)]
    table = sort_groups(groups, "response", ["queue"], Labels(NamesInDixa()))
    assert (len(table.ranked), len(table.unranked), table.hidden) == (MAX_ROWS, 0, 5)


@pytest.mark.parametrize("name", ["score", "answers", "response", "delivered", "name"])
def test_each_order_can_be_turned_round(name: str) -> None:
    groups = []
    for number in range(4):
        scores = Scores(RatingType.CSAT)
        scores.counts.update({5: 40 + number, 1: 40 - 2 * number})
        groups.append(Group((f"q-{number}",), scores, delivered=200 + number, responded=100 - 7 * number))
    there, back = (sort_groups(groups, order, ["queue"], Labels(NamesInDixa())).ranked for order in (name, f"-{name}"))
    assert [each.keys for each in there] == [each.keys for each in back][::-1]
