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
from tests.journeys.action_story import EDITABLE, LOW, ActionStory, action_of, states
from tests.receiver import DROP

CORRECTION, COMMENT = "slack:correction", "slack:comment"
ALERTED = replace(EDITABLE, on_answer=(OnAnswer((1, 2), CSAT, slack=True),))
QUOTED = replace(EDITABLE, on_answer=(replace(LOW, comment=True),))
TO_FIVE = (
    "The customer changed the answer. Now: Satisfaction: Very satisfied (5 of 5). "
    "The alert said: Satisfaction: Very dissatisfied (1 of 5)."
)


def test_correction_names_both_scores_without_a_rule_for_the_new_score(action_story: ActionStory) -> None:
    survey_id = action_story.alerted(ALERTED, scores=(1, 5))
    record = action_story.finish(survey_id)
    alert, correction = action_story.alerts()
    assert alert.startswith("Satisfaction: Very dissatisfied (1 of 5).\n")
    assert correction.startswith(f"{TO_FIVE}\nconversation {survey_id}, survey default, ")
    assert states(record) == {"slack": ActionState.DONE, CORRECTION: ActionState.DONE}
    shown = "\n".join(describe(record, ""))
    assert "Follow-up slack: done. Sent: Csat 1." in shown
    assert "Follow-up slack:correction: done." in shown


def test_correction_is_sent_only_when_the_answer_is_final(action_story: ActionStory) -> None:
    survey_id = action_story.alerted(ALERTED, scores=(1, 5, 2, 4))
    assert len(action_story.alerts()) == 1
    action_story.finish(survey_id)
    assert [text.partition(" (")[0] for text in action_story.alerts()] == [
        "Satisfaction: Very dissatisfied",
        "The customer changed the answer. Now: Satisfaction: Satisfied",
    ]


@pytest.mark.parametrize("scores", [(1,), (1, 5, 1), (5,), (5, 1), (3, 4, 5)])
def test_no_correction_is_sent_without_an_outdated_alert(action_story: ActionStory, scores: Sequence[int]) -> None:
    survey_id = action_story.alerted(ALERTED, scores=scores)
    before = len(action_story.alerts())
    assert CORRECTION not in states(action_story.finish(survey_id))
    assert len(action_story.alerts()) == before == (1 in scores)


def test_no_correction_is_sent_after_a_refused_alert(action_story: ActionStory) -> None:
    action_story.receiver.next["/slack"] = [400]
    survey_id = action_story.alerted(ALERTED, scores=(1, 5))
    assert CORRECTION not in states(action_story.finish(survey_id))
    assert action_story.alerts() == []


def test_waiting_alert_contains_the_last_score(action_story: ActionStory) -> None:
    action_story.receiver.next["/slack"] = [503]
    survey_id = action_story.alerted(ALERTED, scores=(1, 2))
    (alert,) = action_story.alerts()
    assert alert.startswith("Satisfaction: Dissatisfied (2 of 5).\n")
    assert CORRECTION not in states(action_story.finish(survey_id))


def test_added_score_of_another_question_is_corrected(action_story: ActionStory) -> None:
    terms = replace(EDITABLE, ratings=(CSAT, NPS), on_answer=(OnAnswer((1,), CSAT, slack=True),))
    survey_id = action_story.ask(terms)
    given: tuple[dict[RatingType, int], ...] = ({CSAT: 1}, {CSAT: 1, NPS: 3})
    for scores in given:
        action_story.story.answer(survey_id, scores)
        action_story.run_once(survey_id)
    action_story.finish(survey_id)
    assert "(1 of 5), Would recommend: 3 of 10. The alert said: Satisfaction: Very" in action_story.alerts()[1]


def test_alert_with_unknown_outcome_is_corrected(action_story: ActionStory) -> None:
    """The alert may have arrived."""
    action_story.receiver.next["/slack"] = [DROP]
    survey_id = action_story.alerted(ALERTED, scores=(1, 5))
    action_story.finish(survey_id)
    assert action_story.alerts()[-1].startswith(TO_FIVE)


class TestAtMostOnce:
    """A correction is sent at most once, like any alert."""

    @pytest.mark.parametrize("status", [DROP, 500])
    def test_correction_with_lost_response_is_not_repeated(self, action_story: ActionStory, status: int) -> None:
        survey_id = action_story.alerted(ALERTED, scores=(1, 5))
        action_story.receiver.next["/slack"] = [status]
        record = action_story.finish(survey_id)
        assert len(action_story.receiver.of("/slack")) == 2
        assert action_of(record, CORRECTION).problem == OUTCOME_UNKNOWN

    def test_crash_after_begin_loses_the_correction(self, action_story: ActionStory) -> None:
        survey_id = action_story.alerted(ALERTED, scores=(1, 5))
        action_story.end_editable_time(survey_id)
        action_story.begin_and_crash(survey_id, CORRECTION)
        record = action_story.follow(survey_id)
        assert len(action_story.alerts()) == 1
        assert action_of(record, CORRECTION).problem == OUTCOME_UNKNOWN

    def test_alert_of_a_crashed_worker_is_corrected(self, action_story: ActionStory) -> None:
        """The alert may have been sent, so it counts as sent, although the final scores need no alert."""
        survey_id = action_story.ask(ALERTED)
        action_story.story.answer(survey_id, {CSAT: 1}, "")
        action_story.begin_and_crash(survey_id, "slack", sent_scores={CSAT: 1})
        action_story.story.answer(survey_id, {CSAT: 5}, "")
        record = action_story.finish(survey_id)
        assert [text.partition("\n")[0] for text in action_story.alerts()] == [TO_FIVE]
        assert record.follow_up
        assert states(record) == {"slack": ActionState.DONE, CORRECTION: ActionState.DONE}
        assert record.follow_up.actions["slack"].problem == OUTCOME_UNKNOWN

    @pytest.mark.parametrize("status", [503, 429])
    def test_busy_receiver_gets_the_correction_later(self, action_story: ActionStory, status: int) -> None:
        survey_id = action_story.alerted(ALERTED, scores=(1, 5))
        action_story.receiver.next["/slack"] = [status, status]
        action_story.finish(survey_id)
        assert [text.startswith(TO_FIVE) for text in action_story.alerts()] == [False, True]


class TestWithAComment:
    """A later comment is part of the correction."""

    def test_correction_and_comment_are_one_alert(self, action_story: ActionStory) -> None:
        survey_id = action_story.alerted(QUOTED)
        action_story.story.answer(survey_id, {CSAT: 2}, "Too <slow>")
        record = action_story.finish(survey_id)
        _, correction = action_story.alerts()
        assert "Now: Satisfaction: Dissatisfied (2 of 5)." in correction
        assert correction.endswith("\nComment:\n> Too &lt;slow&gt;")
        assert action_of(record, COMMENT).problem == IN_THE_CORRECTION

    def test_correction_and_comment_are_retried_as_one_alert(self, action_story: ActionStory) -> None:
        survey_id = action_story.alerted(QUOTED)
        action_story.story.answer(survey_id, {CSAT: 2}, "Too slow")
        action_story.receiver.next["/slack"] = [503]
        action_story.finish(survey_id)
        _, correction = action_story.alerts()
        assert correction.endswith("\nComment:\n> Too slow")

    @pytest.mark.parametrize("terms", [ALERTED, QUOTED])
    def test_comment_is_not_quoted_if_the_last_score_forbids_it(self, action_story: ActionStory, terms: Survey) -> None:
        survey_id = action_story.alerted(terms)
        action_story.story.answer(survey_id, {CSAT: 5 if terms is QUOTED else 2}, "My secret is 4711")
        action_story.finish(survey_id)
        assert len(action_story.alerts()) == 2
        assert "4711" not in "".join(action_story.alerts())

    def test_comment_of_the_alert_is_not_repeated(self, action_story: ActionStory) -> None:
        survey_id = action_story.alerted(QUOTED, scores=(1, 2), comment="Too slow")
        action_story.finish(survey_id)
        assert ["Too slow" in text for text in action_story.alerts()] == [True, False]


def test_alert_without_recorded_scores_is_not_corrected(action_story: ActionStory) -> None:
    survey_id = action_story.alerted(ALERTED)
    action_story._client.hdel(f"{action_story._prefix}survey:{survey_id}", "sent_scores:slack")
    action_story.story.answer(survey_id, {CSAT: 5})
    assert CORRECTION not in states(action_story.finish(survey_id))


def test_retry_time_of_a_correction_begins_with_the_final_answer(action_story: ActionStory) -> None:
    survey_id = action_story.alerted(replace(ALERTED, editable_for=timedelta(days=7)), scores=(1, 5))
    action_story.receiver.next["/slack"] = [503]
    action_story.end_editable_time(survey_id)
    action_story.run_once(survey_id)
    record = action_story.follow(survey_id)
    assert states(record)[CORRECTION] is ActionState.DONE
