"""Merges the answers of one survey in a spool into one entry, and likewise its opt-outs and opt-ins.

Otherwise repeated posts to one link would fill the spool. By the rules of save_answer.lua and of
the opt-outs, the entries left out would change nothing.
"""

from collections.abc import Sequence

from service.intake.spool import Entry
from service.intake.spool_codec import (
    SpooledAnswer,
    SpooledOptOut,
    Waiting,
    read_entries,
    write_several,
)

Repeated = SpooledAnswer | SpooledOptOut
"""The entries that a customer can send again and again."""


def key_of(waiting: Repeated) -> str:
    """Return the key of the merged entry."""
    if isinstance(waiting, SpooledAnswer):
        return f"answer:{waiting.answer.link.survey_id}"
    return f"opt_out:{waiting.link.survey_id}"


def add_to(before: Entry | None, waiting: Repeated) -> Entry:
    """Add to the entry of the same kind and survey, and drop the parts without effect."""
    known: Sequence[Waiting] = read_entries(before) if before else ()
    if isinstance(waiting, SpooledAnswer):
        answers = [*(each for each in known if isinstance(each, SpooledAnswer)), waiting]
        return write_several(choose_answers(answers))
    opt_outs = [*(each for each in known if isinstance(each, SpooledOptOut)), waiting]
    return write_several([choose_opt_out(opt_outs)])


def choose_answers(answers: Sequence[SpooledAnswer]) -> list[SpooledAnswer]:
    """Choose the answer with the final scores, the one with the final comment, and a removal: three at most.

    The latest counts. A suspect answer replaces no other, but its removal of a comment counts. A blank comment keeps
    the earlier one.
    """
    real = [each for each in answers if not each.answer.is_suspect] or answers
    removing = [each for each in answers if each.answer.comment is None]
    commenting = [each for each in answers if each in removing or (each in real and each.answer.comment)]
    chosen = [_last(real)]
    if commenting:
        chosen.append(_last(commenting))
    if removing and chosen[-1].answer.is_suspect:
        # The record may have an answer that isn't suspect. Of this one it takes only the removal.
        chosen.append(_last(removing))
    return [each for each in sorted(answers, key=lambda each: each.answered_at) if each in chosen]


def choose_opt_out(opt_outs: Sequence[SpooledOptOut]) -> SpooledOptOut:
    """Choose the latest wish."""
    return max(reversed(opt_outs), key=lambda each: each.wished_at)


def _last(answers: Sequence[SpooledAnswer]) -> SpooledAnswer:
    return max(reversed(answers), key=lambda each: each.answered_at)
