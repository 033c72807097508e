"""What is still to be told when several answers of one survey wait in a spool, or several stops and undos.

They wait in one entry, so that nobody who posts to one link again and again fills the spool. Those that are left out
would change nothing that the others don't, by the rules of save_answer.lua and of the stops.
"""

from collections.abc import Sequence

from service.intake.spool import Entry
from service.intake.spool_codec import (
    SpooledAnswer,
    SpooledStop,
    Waiting,
    read_entries,
    write_answer,
    write_several,
    write_stop,
)

Repeated = SpooledAnswer | SpooledStop
"""What a customer can send again and again."""


def key_of(waiting: Repeated) -> str:
    """Name the entry that this waits in."""
    kind = "answer" if isinstance(waiting, SpooledAnswer) else "stop"
    return f"{kind}:{waiting.survey_id}"


def add_to(before: Entry | None, waiting: Repeated) -> Entry:
    """Add to what waits of the same kind and survey, and leave out what needs no telling any more."""
    known: Sequence[Waiting] = read_entries(before) if before else ()
    if isinstance(waiting, SpooledAnswer):
        answers = [*(each for each in known if isinstance(each, SpooledAnswer)), waiting]
        return write_several([write_answer(each.answer, each.answered_at) for each in choose_answers(answers)])
    opt_outs = [*(each for each in known if isinstance(each, SpooledStop)), waiting]
    return write_several([write_stop(choose_stop(opt_outs))])


def choose_answers(answers: Sequence[SpooledAnswer]) -> list[SpooledAnswer]:
    """Choose the answer whose scores count, the one whose comment does, and the removal of one: three at most.

    The latest counts. A suspect one takes the place of no other, but removes a comment all the same. A blank comment
    keeps the one before.
    """
    real = [each for each in answers if not each.answer.is_suspect] or answers
    removing = [each for each in answers if each.answer.comment is None]
    commenting = [each for each in answers if each in removing or (each in real and each.answer.comment)]
    chosen = [_last(real)]
    if commenting:
        chosen.append(_last(commenting))
    if removing and chosen[-1].answer.is_suspect:
        # The record may have an answer that isn't: of these two it takes the removal alone.
        chosen.append(_last(removing))
    return [each for each in sorted(answers, key=lambda each: each.answered_at) if each in chosen]


def choose_stop(opt_outs: Sequence[SpooledStop]) -> SpooledStop:
    """Choose the later wish."""
    return max(reversed(opt_outs), key=lambda each: each.wished_at)


def _last(answers: Sequence[SpooledAnswer]) -> SpooledAnswer:
    return max(reversed(answers), key=lambda each: each.answered_at)
