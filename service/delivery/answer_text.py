"""What an answer says, in English: for agents and for the team, never for customers."""

from collections.abc import Mapping

from config.surveys import RatingType
from service.surveys.ports import Told
from service.surveys.questions import OPTIONS

_QUESTION = {"Csat": "Satisfaction", "Nps": "Would recommend", "ThumbsUpOrDown": "Problem solved"}


def describe(told: Told) -> str:
    """Say the scores in words, and the comment or that there is one."""
    suspicion = "\nThis answer is suspect: a machine may have sent it." if told.is_suspect else ""
    return f"{describe_scores(told.record.answered.scores)}.{suspicion}{_comment(told)}"


def describe_scores(scores: Mapping[RatingType, int]) -> str:
    """Say scores in words."""
    return ", ".join(
        f"{_QUESTION[rating]}: {OPTIONS[rating][score]}{_of(score, rating.scores)}" for rating, score in scores.items()
    )


def _of(score: int, scores: range) -> str:
    """Say what a score is out of; words need it too, and yes and no don't."""
    if scores[-1] == 1:
        return ""
    return f" ({score} of {scores[-1]})" if scores[0] == 1 else f" of {scores[-1]}"


def _comment(told: Told) -> str:
    if told.comment:
        return f"\nComment: {told.comment}"
    return "\nThere is a comment: see the rating in Dixa." if told.has_comment else ""
