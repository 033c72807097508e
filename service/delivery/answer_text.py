"""Describes an answer in English, for agents and for the team, never for customers."""

from collections.abc import Mapping

from config.invisible import drop_invisible
from service.surveys.ports import FollowUpContext
from service.surveys.ratings import RatingType
from service.texts.questions import OPTIONS

_QUESTION = {"Csat": "Satisfaction", "Nps": "Would recommend", "ThumbsUpOrDown": "Problem solved"}


def describe(context: FollowUpContext) -> str:
    """Return the scores in words, and a hint at a comment that is not quoted."""
    suspicion = "\nThis answer is suspect: a machine may have sent it." if context.is_suspect else ""
    elsewhere = context.has_comment and not context.comment
    hint = "\nThere is a comment: see the rating in Dixa." if elsewhere else ""
    return f"{describe_scores(context.record.answered.scores)}.{suspicion}{hint}"


def quote(comment: str) -> str:
    """Quote each line of a comment, so that none looks like one of ours. Return "" for no comment."""
    lines = (drop_invisible(line.replace("\t", " ")) for line in comment.splitlines())
    return "\nComment:" + "".join(f"\n> {line}" for line in lines) if comment else ""


def describe_scores(scores: Mapping[RatingType, int]) -> str:
    """Return scores in words."""
    return ", ".join(
        f"{_QUESTION[rating]}: {OPTIONS[rating][score]}{_of(score, rating.scores)}" for rating, score in scores.items()
    )


def _of(score: int, scores: range) -> str:
    """Return the scale of a score, such as " of 10", or "" for yes and no."""
    if scores[-1] == 1:
        return ""
    return f" ({score} of {scores[-1]})" if scores[0] == 1 else f" of {scores[-1]}"
