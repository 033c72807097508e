"""What each reason means, and what to change about it: the one table behind `afterword why` and docs/reasons.md."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.surveys.model import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason in plain words. Keys are those of surveys.toml; in capitals they are settings."""

    meaning: str
    remedy: str


REASONS: Mapping[Reason, Explanation] = {
    Reason.INTERNAL: Explanation(
        "The conversation is an internal one of your own people.",
        "Nothing; your own people are never asked.",
    ),
    Reason.MEMBER: Explanation(
        "The requester is a member of your organisation.",
        "Nothing; your own people are never asked.",
    ),
    Reason.MACHINE: Explanation(
        "The requester's address is a machine's (no-reply, mailer-daemon, postmaster, bounces), or one of your own: "
        "MAIL_FROM, MAIL_REPLY_TO, `[survey.sender]`, a `mailto:` in SUPPORT_URL, or the contact point it came in at.",
        "Nothing; no customer reads it. Where a person wrote, make them the requester in Dixa.",
    ),
    Reason.SIDE_CONVERSATION: Explanation(
        "The conversation belongs to another one: a side conversation, or an e-mail that was forwarded.",
        "Nothing; the customer is asked about the conversation that it belongs to.",
    ),
    Reason.BEFORE_START: Explanation("It was closed before the survey starts.", "Write an earlier `not_before`."),
    Reason.CHANNEL: Explanation("The survey doesn't ask about this channel.", "Add the channel to `channels`."),
    Reason.QUEUE: Explanation("The survey doesn't ask about this queue.", "Add the queue, by name or id, to `queues`."),
    Reason.CONTACT_POINT: Explanation(
        "The survey doesn't ask about the contact point that it came in at.",
        "Add the contact point to `contact_points`.",
    ),
    Reason.DIRECTION: Explanation(
        "The survey doesn't ask about this direction (inbound or outbound).", "Add the direction to `directions`."
    ),
    Reason.USER_TYPE: Explanation("The survey doesn't ask requesters of this type.", "Add the type to `user_types`."),
    Reason.ASSIGNEE_TYPE: Explanation(
        "The survey doesn't ask about assignees of this type (a bot, say).", "Add the type to `assignee_types`."
    ),
    Reason.LANGUAGE: Explanation(
        "The survey doesn't ask in this language, or Dixa doesn't know the language.",
        "Add the language to `languages`.",
    ),
    Reason.TAG_EXCLUDED: Explanation(
        "It has a tag of `without_tags`.", "Take the tag off the conversation, or out of `without_tags`."
    ),
    Reason.TAG_MISSING: Explanation(
        "It lacks a tag of `with_tags`.", "Tag the conversation, or take the tag out of `with_tags`."
    ),
    Reason.ADDRESS: Explanation(
        "The customer's address is one of `without_addresses`, or none of `addresses`.",
        "Change `addresses` or `without_addresses`.",
    ),
    Reason.UNASSIGNED: Explanation("No agent handled it.", "Write `assigned = false` to ask all the same."),
    Reason.NOT_SAMPLED: Explanation(
        "It was left out by `sample`, which decides the same each time for one conversation.",
        "Write a larger `sample`.",
    ),
    Reason.FEW_CUSTOMER_MESSAGES: Explanation(
        "The customer wrote fewer messages than the survey wants.", "Write a smaller `min_customer_messages`."
    ),
    Reason.FEW_AGENT_MESSAGES: Explanation(
        "Agents wrote fewer messages than the survey wants; those of bots don't count.",
        "Write a smaller `min_agent_messages`.",
    ),
    Reason.NO_SURVEY_MATCHES: Explanation(
        "There are several surveys, and each has a different objection.", "Change `[survey.match]` of one of them."
    ),
    Reason.ASKED_RECENTLY: Explanation(
        "The same customer was asked less than `cooldown` ago.", "Write a shorter `cooldown`."
    ),
    Reason.DAILY_CAP: Explanation(
        "The survey has asked `daily_cap` customers that day.", "Write a larger `daily_cap`."
    ),
    Reason.NOTHING_NEW: Explanation(
        "It was asked about before, and the customer has written nothing since.",
        "Nothing; it is asked about again when the customer has written.",
    ),
    Reason.CLOSED_AGAIN: Explanation(
        "It was closed again after its survey had been decided, and that begins no new one.",
        'Write `on_reclose = "unanswered"`, or `"always"`.',
    ),
    Reason.OPTED_OUT: Explanation(
        "This customer has stopped the surveys.",
        "Nothing, unless the customer asks for it: `afterword why` says by which id, address or number and since when, "
        "and `afterword opt-in` takes each of them.",
    ),
    Reason.UNREACHABLE: Explanation(
        "No channel of `deliver` can reach this customer: a message needs an agent and a channel that takes one "
        "(chat, Messenger, contact form, e-mail, SMS, WhatsApp), an e-mail an address, a note an agent, a webhook a "
        "requester.",
        "Add a channel to `deliver`.",
    ),
    Reason.ALREADY_SURVEYED: Explanation(
        "Dixa, or another system, has scheduled, offered or got a rating.", "Turn off Dixa's own survey."
    ),
    Reason.REOPENED: Explanation(
        "It was open again when the survey was due.",
        "Nothing; a later close counts, if `on_reclose` says so.",
    ),
    Reason.ERASED: Explanation(
        "It was anonymised after it was closed; what was kept about the customer is deleted.",
        "Nothing; nobody is there to be asked.",
    ),
    Reason.TOO_LATE: Explanation(
        "No offer could be made within OFFER_MAX_AGE of its time, or no result submitted within ANSWER_MAX_AGE.",
        "Find out what stood still: `afterword doctor`, and the log.",
    ),
    Reason.NOT_FOUND: Explanation(
        "Dixa doesn't know the conversation.",
        "Look whether DIXA_API_TOKEN is of the organisation that sends the webhooks; then `afterword retry`.",
    ),
    Reason.FORBIDDEN: Explanation(
        "Dixa doesn't let DIXA_API_TOKEN see or change this conversation (401 or 403), though it takes the token "
        "otherwise; it was tried again for some minutes.",
        "Look in Dixa who may see the conversation, and what the token may do; then `afterword retry`.",
    ),
    Reason.REFUSED: Explanation(
        "Dixa, a mail server or a receiver of yours refused a call for good; the log has the status.",
        "Mend what the log names; then `afterword retry`.",
    ),
}
"""Every reason, in the order in which a decision comes upon them."""


def markdown_rows() -> list[str]:
    """Return the rows of the table in docs/reasons.md."""
    return [f"| `{reason}` | {each.meaning} | {each.remedy} |" for reason, each in REASONS.items()]
