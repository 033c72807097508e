"""Every reason of a decision or a failure, with its meaning and its remedy."""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """Why a survey was not sent, or why a journey failed. Grouped by subject.

    `afterword why` and docs/reasons.md show the meaning and the remedy. Keys in them are of surveys.toml, names in
    capitals are settings.
    """

    meaning: str
    remedy: str

    # The defaults are for mypy, which takes the look-up `Reason("machine")` for a call of this.
    def __new__(cls, value: str, meaning: str = "", remedy: str = "") -> Self:  # noqa: D102
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.meaning, reason.remedy = meaning, remedy
        return reason

    INTERNAL = ("internal", "The conversation is internal.", "Nothing. Members of your organisation are never asked.")
    MEMBER = ("member", "The requester is a member of your organisation.", "Nothing. Members are never asked.")
    MACHINE = (
        "machine",
        (
            "The requester's address is automatic (no-reply, mailer-daemon, postmaster, bounces) or your own "
            "(MAIL_FROM, MAIL_REPLY_TO, `[survey.sender]`, a `mailto:` in SUPPORT_URL, the contact point of the "
            "conversation)."
        ),
        "Nothing. No customer reads these addresses. If a person wrote, make that person the requester in Dixa.",
    )
    SIDE_CONVERSATION = (
        "side_conversation",
        "It is a side conversation or a forwarded e-mail.",
        "Nothing. The customer is asked about the main conversation.",
    )
    BEFORE_START = ("before_start", "It closed before `not_before`.", "Write an earlier `not_before`.")
    CHANNEL = ("channel", "Its channel is not in `channels`.", "Add the channel to `channels`.")
    QUEUE = ("queue", "Its queue is not in `queues`.", "Add the queue, by name or id, to `queues`.")
    CONTACT_POINT = ("contact_point", "Its contact point is not in `contact_points`.", "Add it to `contact_points`.")
    DIRECTION = ("direction", "Its direction, inbound or outbound, is not in `directions`.", "Add it to `directions`.")
    USER_TYPE = ("user_type", "The type of its requester is not in `user_types`.", "Add the type to `user_types`.")
    ASSIGNEE_TYPE = (
        "assignee_type",
        "The type of its assignee, such as a bot, is not in `assignee_types`.",
        "Add the type to `assignee_types`.",
    )
    LANGUAGE = ("language", "Its language is not in `languages`, or Dixa doesn't know it.", "Add it to `languages`.")
    TAG_EXCLUDED = (
        "tag_excluded",
        "It has a tag of `without_tags`.",
        "Remove the tag from the conversation or from `without_tags`.",
    )
    TAG_MISSING = ("tag_missing", "It lacks a tag of `with_tags`.", "Tag the conversation, or change `with_tags`.")
    ADDRESS = (
        "address",
        "The customer's address is in `without_addresses`, or not in `addresses`.",
        "Change `addresses` or `without_addresses`.",
    )
    UNASSIGNED = ("unassigned", "It has no assignee.", "Write `assigned = false`.")
    NOT_SAMPLED = (
        "not_sampled",
        "It is not in the sample. The choice is the same each time for one conversation.",
        "Write a larger `sample`.",
    )
    FEW_CUSTOMER_MESSAGES = (
        "few_customer_messages",
        "The customer wrote fewer messages than `min_customer_messages`.",
        "Write a smaller `min_customer_messages`.",
    )
    FEW_AGENT_MESSAGES = (
        "few_agent_messages",
        "Agents wrote fewer messages than `min_agent_messages`. Messages of bots don't count.",
        "Write a smaller `min_agent_messages`.",
    )
    NO_SURVEY_MATCHES = (
        "no_survey_matches",
        "There are several surveys. None matches, each for a reason of its own.",
        "Change `[survey.match]` of one of them.",
    )
    ASKED_RECENTLY = ("asked_recently", "This customer was asked less than `cooldown` ago.", "Shorten `cooldown`.")
    DAILY_CAP = ("daily_cap", "The survey had reached `daily_cap` that day.", "Write a larger `daily_cap`.")
    NOTHING_NEW = (
        "nothing_new",
        "It had a survey before, and the customer has written nothing since.",
        "Nothing. A new message of the customer makes a new survey possible.",
    )
    CLOSED_AGAIN = (
        "closed_again",
        "It closed again after the decision on its survey. `on_reclose` allows no new survey.",
        'Write `on_reclose = "unanswered"`, or `"always"`.',
    )
    OPTED_OUT = (
        "opted_out",
        "This customer has opted out.",
        (
            "Nothing, unless the customer asks for it. `afterword why` shows the id, address or number of the opt-out "
            "and its date. `afterword opt-in` removes it."
        ),
    )
    UNREACHABLE = (
        "unreachable",
        (
            "No channel of `deliver` can reach this customer. A message needs an agent, and a conversation by chat, "
            "Messenger, contact form, e-mail, SMS or WhatsApp. An e-mail needs an address, a note an agent, a webhook "
            "a requester."
        ),
        "Add a channel to `deliver`.",
    )
    ALREADY_SURVEYED = (
        "already_surveyed",
        "Another rating was scheduled, offered or given, by Dixa or another system.",
        "Turn off Dixa's own survey.",
    )
    REOPENED = (
        "reopened",
        "It was open when the survey was due.",
        "Nothing. A later close counts if `on_reclose` allows it.",
    )
    ERASED = ("erased", "It was anonymised in Dixa. Our data on the customer is deleted.", "Nothing.")
    TOO_LATE = (
        "too_late",
        "The offer was overdue by more than OFFER_MAX_AGE, or the result by more than ANSWER_MAX_AGE.",
        "Find the cause with `afterword doctor` and in the log.",
    )
    NOT_FOUND = (
        "not_found",
        "Dixa doesn't know the conversation.",
        "Check that DIXA_API_TOKEN is of the organisation that sends the webhooks. Then `afterword retry`.",
    )
    FORBIDDEN = (
        "forbidden",
        "Dixa accepts DIXA_API_TOKEN, but not for this conversation (401 or 403). Retries over some minutes failed.",
        "Check in Dixa the rights of the token and the access to the conversation. Then `afterword retry`.",
    )
    REFUSED = (
        "refused",
        "Dixa, a mail server or a webhook receiver refused a call for good. The log has the status.",
        "Fix the cause. Then `afterword retry`.",
    )
