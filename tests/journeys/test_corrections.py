"""An alert with outdated scores is corrected once, when the answer is final."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from service.journeys.follow_up import IN_THE_CORRECTION, OUTCOME_UNKNOWN
from service.rules.timeline import describe
from service.surveys.definition import Survey
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.states import ActionState
from tests.harness import CSAT, NPS
from tests.journeys.team import EDITABLE, LOW, Team, action_of, states
from tests.receiver import DROP

CORRECTION, COMMENT = "slack:correction", "slack:comment"
ALERTED = replace(EDITABLE, on_answer=(OnAnswer((1, 2), CSAT, slack=True),))
QUOTED = replace(EDITABLE, on_answer=(replace(LOW, comment=True),))
TO_FIVE = (
    "The customer changed the answer. Now: Satisfaction: Very satisfied (5 of 5). "
    "The alert said: Satisfaction: Very dissatisfied (1 of 5)."
)


def test_correction_names_both_scores_without_a_rule_for_the_new_score(team: Team) -> None:
    survey_id = team.alerted(ALERTED, scores=(1, 5))
    record = team.finish(survey_id)
    alert, correction = team.alerts()
    assert alert.startswith("Satisfaction: Very dissatisfied (1 of 5).\n")
    assert correction.startswith(f"{TO_FIVE}\nconversation {survey_id}, survey default, ")
    assert states(record) == {"slack": ActionState.DONE, CORRECTION: ActionState.DONE}
    shown = "\n".join(describe(record, ""))
    assert "Follow-up slack: done. Sent: Csat 1." in shown
    assert "Follow-up slack:correction: done." in shown


def test_correction_is_sent_only_when_the_answer_is_final(team: Team) -> None:
    survey_id = team.alerted(ALERTED, scores=(1, 5, 2, 4))
    assert len(team.alerts()) == 1
    team.finish(survey_id)
    assert [text.partition(" (")[0] for text in team.alerts()] == [
        "Satisfaction: Very dissatisfied",
        "The customer changed the answer. Now: Satisfaction: Satisfied",
    ]


@pytest.mark.parametrize("scores", [(1,), (1, 5, 1), (5,), (5, 1), (3, 4, 5)])
def test_no_correction_is_sent_without_an_outdated_alert(team: Team, scores: Sequence[int]) -> None:
    survey_id = team.alerted(ALERTED, scores=scores)
    before = len(team.alerts())
    assert CORRECTION not in states(team.finish(survey_id))
    assert len(team.alerts()) == before == (1 in scores)


def test_no_correction_is_sent_after_a_refused_alert(team: Team) -> None:
    team.receiver.next["/slack"] = [400]
    survey_id = team.alerted(ALERTED, scores=(1, 5))
    assert CORRECTION not in states(team.finish(survey_id))
    assert team.alerts() == []


def test_waiting_alert_contains_the_last_score(team: Team) -> None:
    team.receiver.next["/slack"] = [503]
    survey_id = team.alerted(ALERTED, scores=(1, 2))
    (alert,) = team.alerts()
    assert alert.startswith("Satisfaction: Dissatisfied (2 of 5).\n")
    assert CORRECTION not in states(team.finish(survey_id))


def test_added_score_of_another_question_is_corrected(team: Team) -> None:
    terms = replace(EDITABLE, ratings=(CSAT, NPS), on_answer=(OnAnswer((1,), CSAT, slack=True),))
    survey_id = team.ask(terms)
    given: tuple[dict[RatingType, int], ...] = ({CSAT: 1}, {CSAT: 1, NPS: 3})
    for scores in given:
        team.story.answer(survey_id, scores)
        team.run_once(survey_id)
    team.finish(survey_id)
    assert "(1 of 5), Would recommend: 3 of 10. The alert said: Satisfaction: Very" in team.alerts()[1]


def test_alert_with_unknown_outcome_is_corrected(team: Team) -> None:
    """The alert may have arrived."""
    team.receiver.next["/slack"] = [DROP]
    survey_id = team.alerted(ALERTED, scores=(1, 5))
    team.finish(survey_id)
    assert team.alerts()[-1].startswith(TO_FIVE)


class TestAtMostOnce:
    """A correction is sent at most once, like any alert."""

    @pytest.mark.parametrize("status", [DROP, 500])
    def test_correction_with_lost_response_is_not_repeated(self, team: Team, status: int) -> None:
        survey_id = team.alerted(ALERTED, scores=(1, 5))
        team.receiver.next["/slack"] = [status]
        record = team.finish(survey_id)
        assert len(team.receiver.of("/slack")) == 2
        assert action_of(record, CORRECTION).problem == OUTCOME_UNKNOWN

    def test_crash_after_begin_loses_the_correction(self, team: Team) -> None:
        survey_id = team.alerted(ALERTED, scores=(1, 5))
        team.end_editable_time(survey_id)
        team.begin_and_crash(survey_id, CORRECTION)
        record = team.follow(survey_id)
        assert len(team.alerts()) == 1
        assert action_of(record, CORRECTION).problem == OUTCOME_UNKNOWN

    def test_alert_of_a_crashed_worker_is_corrected(self, team: Team) -> None:
        """The alert may have been sent, so it counts as sent, although the final scores need no alert."""
        survey_id = team.ask(ALERTED)
        team.story.answer(survey_id, {CSAT: 1}, "")
        team.begin_and_crash(survey_id, "slack", sent_scores={CSAT: 1})
        team.story.answer(survey_id, {CSAT: 5}, "")
        record = team.finish(survey_id)
        assert [text.partition("\n")[0] for text in team.alerts()] == [TO_FIVE]
        assert record.follow_up
        assert states(record) == {"slack": ActionState.DONE, CORRECTION: ActionState.DONE}
        assert record.follow_up.actions["slack"].problem == OUTCOME_UNKNOWN

    @pytest.mark.parametrize("status", [503, 429])
    def test_busy_receiver_gets_the_correction_later(self, team: Team, status: int) -> None:
        survey_id = team.alerted(ALERTED, scores=(1, 5))
        team.receiver.next["/slack"] = [status, status]
        team.finish(survey_id)
        assert [text.startswith(TO_FIVE) for text in team.alerts()] == [False, True]


class TestWithAComment:
    """A later comment is part of the correction."""

    def test_correction_and_comment_are_one_alert(self, team: Team) -> None:
        survey_id = team.alerted(QUOTED)
        team.story.answer(survey_id, {CSAT: 2}, "Too <slow>")
        record = team.finish(survey_id)
        _, correction = team.alerts()
        assert "Now: Satisfaction: Dissatisfied (2 of 5)." in correction
        assert correction.endswith("\nComment:\n> Too &lt;slow&gt;")
        assert action_of(record, COMMENT).problem == IN_THE_CORRECTION

    def test_correction_and_comment_are_retried_as_one_alert(self, team: Team) -> None:
        survey_id = team.alerted(QUOTED)
        team.story.answer(survey_id, {CSAT: 2}, "Too slow")
        team.receiver.next["/slack"] = [503]
        team.finish(survey_id)
        _, correction = team.alerts()
        assert correction.endswith("\nComment:\n> Too slow")

    @pytest.mark.parametrize("terms", [ALERTED, QUOTED])
    def test_comment_is_not_quoted_if_the_last_score_forbids_it(self, team: Team, terms: Survey) -> None:
        survey_id = team.alerted(terms)
        team.story.answer(survey_id, {CSAT: 5 if terms is QUOTED else 2}, "My secret is 4711")
        team.finish(survey_id)
        assert len(team.alerts()) == 2
        assert "4711" not in "".join(team.alerts())

    def test_comment_of_the_alert_is_not_repeated(self, team: Team) -> None:
        survey_id = team.alerted(QUOTED, scores=(1, 2), comment="Too slow")
        team.finish(survey_id)
        assert ["Too slow" in text for text in team.alerts()] == [True, False]


def test_alert_without_recorded_scores_is_not_corrected(team: Team) -> None:
    survey_id = team.alerted(ALERTED)
    team._client.hdel(f"{team._prefix}survey:{survey_id}", "sent_scores:slack")
    team.story.answer(survey_id, {CSAT: 5})
    assert CORRECTION not in states(team.finish(survey_id))


def test_retry_time_of_a_correction_begins_with_the_final_answer(team: Team) -> None:
    survey_id = team.alerted(replace(ALERTED, editable_for=timedelta(days=7)), scores=(1, 5))
    team.receiver.next["/slack"] = [503]
    team.end_editable_time(survey_id)
    team.run_once(survey_id)
    record = team.follow(survey_id)
    assert states(record)[CORRECTION] is ActionState.DONE
