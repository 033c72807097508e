"""The records: one Redis hash for each survey, a due set for each journey, and one Lua script for each transition."""

from service.records.answer_transitions import AnswerTransitions
from service.records.offer_transitions import OfferTransitions


class Records(OfferTransitions, AnswerTransitions):
    """All surveys of one installation.

    `lease` is the time of a claim, `mail_budget` its extension while a mail is handed over. `keep` is how long an ended
    record prevents a second offer. Without a `retention`, single fields are kept as long, and none for a retry.
    `is_archived`: each change that a report shows is scheduled for the archive. `events` are noted,
    to be sent to the operator's receiver.
    """
