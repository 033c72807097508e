"""Every reason with its meaning and its remedy, for `afterword why` and docs/reasons.md."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.surveys.states import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason in plain words. Keys are of surveys.toml, names in capitals are settings."""

    meaning: str
    remedy: str


REASONS: Mapping[Reason, Explanation] = {
    Reason.INTERNAL: Explanation(
        "The conversation is internal.",
        "Nothing. Members of your organisation are never asked.",
    ),
    Reason.MEMBER: Explanation(
        "The requester is a member of your organisation.",
        "Nothing. Members of your organisation are never asked.",
    ),
    Reason.MACHINE: Explanation(
        "The requester's address is automatic (no-reply, mailer-daemon, postmaster, bounces) or your own (MAIL_FROM, "
        "MAIL_REPLY_TO, `[survey.sender]`, a `mailto:` in SUPPORT_URL, the contact point of the conversation).",
        "Nothing. No customer reads these addresses. If a person wrote, make that person the requester in Dixa.",
    ),
    Reason.SIDE_CONVERSATION: Explanation(
        "It is a side conversation or a forwarded e-mail.",
        "Nothing. The customer is asked about the main conversation.",
    ),
    Reason.BEFORE_START: Explanation("It closed before `not_before`.", "Write an earlier `not_before`."),
    Reason.CHANNEL: Explanation("Its channel is not in `channels`.", "Add the channel to `channels`."),
    Reason.QUEUE: Explanation("Its queue is not in `queues`.", "Add the queue, by name or id, to `queues`."),
    Reason.CONTACT_POINT: Explanation(
        "Its contact point is not in `contact_points`.",
        "Add the contact point to `contact_points`.",
    ),
    Reason.DIRECTION: Explanation(
        "Its direction, inbound or outbound, is not in `directions`.", "Add the direction to `directions`."
    ),
    Reason.USER_TYPE: Explanation("The type of its requester is not in `user_types`.", "Add the type to `user_types`."),
    Reason.ASSIGNEE_TYPE: Explanation(
        "The type of its assignee, such as a bot, is not in `assignee_types`.", "Add the type to `assignee_types`."
    ),
    Reason.LANGUAGE: Explanation(
        "Its language is not in `languages`, or Dixa doesn't know it.",
        "Add the language to `languages`.",
    ),
    Reason.TAG_EXCLUDED: Explanation(
        "It has a tag of `without_tags`.", "Remove the tag from the conversation or from `without_tags`."
    ),
    Reason.TAG_MISSING: Explanation(
        "It lacks a tag of `with_tags`.", "Tag the conversation, or remove the tag from `with_tags`."
    ),
    Reason.ADDRESS: Explanation(
        "The customer's address is in `without_addresses`, or not in `addresses`.",
        "Change `addresses` or `without_addresses`.",
    ),
    Reason.UNASSIGNED: Explanation("It has no assignee.", "Write `assigned = false`."),
    Reason.NOT_SAMPLED: Explanation(
        "It is not in the sample. The choice is the same each time for one conversation.",
        "Write a larger `sample`.",
    ),
    Reason.FEW_CUSTOMER_MESSAGES: Explanation(
        "The customer wrote fewer messages than `min_customer_messages`.", "Write a smaller `min_customer_messages`."
    ),
    Reason.FEW_AGENT_MESSAGES: Explanation(
        "Agents wrote fewer messages than `min_agent_messages`. Messages of bots don't count.",
        "Write a smaller `min_agent_messages`.",
    ),
    Reason.NO_SURVEY_MATCHES: Explanation(
        "There are several surveys. None matches, each for a reason of its own.",
        "Change `[survey.match]` of one of them.",
    ),
    Reason.ASKED_RECENTLY: Explanation(
        "The same customer was asked less than `cooldown` ago.", "Write a shorter `cooldown`."
    ),
    Reason.DAILY_CAP: Explanation("The survey had reached `daily_cap` that day.", "Write a larger `daily_cap`."),
    Reason.NOTHING_NEW: Explanation(
        "It had a survey before, and the customer has written nothing since.",
        "Nothing. A new message of the customer makes a new survey possible.",
    ),
    Reason.CLOSED_AGAIN: Explanation(
        "It closed again after the decision on its survey. `on_reclose` allows no new survey.",
        'Write `on_reclose = "unanswered"`, or `"always"`.',
    ),
    Reason.OPTED_OUT: Explanation(
        "This customer has opted out.",
        "Nothing, unless the customer asks for it. `afterword why` shows the id, address or number of the opt-out and "
        "its date. `afterword opt-in` removes it.",
    ),
    Reason.UNREACHABLE: Explanation(
        "No channel of `deliver` can reach this customer. A message needs an agent, and a conversation by chat, "
        "Messenger, contact form, e-mail, SMS or WhatsApp. An e-mail needs an address, a note an agent, a webhook a "
        "requester.",
        "Add a channel to `deliver`.",
    ),
    Reason.ALREADY_SURVEYED: Explanation(
        "Another rating was scheduled, offered or given, by Dixa or another system.", "Turn off Dixa's own survey."
    ),
    Reason.REOPENED: Explanation(
        "It was open when the survey was due.",
        "Nothing. A later close counts if `on_reclose` allows it.",
    ),
    Reason.ERASED: Explanation(
        "It was anonymised in Dixa. Our data on the customer is deleted.",
        "Nothing.",
    ),
    Reason.TOO_LATE: Explanation(
        "The offer was overdue by more than OFFER_MAX_AGE, or the result by more than ANSWER_MAX_AGE.",
        "Find the cause with `afterword doctor` and in the log.",
    ),
    Reason.NOT_FOUND: Explanation(
        "Dixa doesn't know the conversation.",
        "Check that DIXA_API_TOKEN is of the organisation that sends the webhooks. Then `afterword retry`.",
    ),
    Reason.FORBIDDEN: Explanation(
        "Dixa accepts DIXA_API_TOKEN, but not for this conversation (401 or 403). Retries over some minutes failed.",
        "Check in Dixa the rights of the token and the access to the conversation. Then `afterword retry`.",
    ),
    Reason.REFUSED: Explanation(
        "Dixa, a mail server or a webhook receiver refused a call for good. The log has the status.",
        "Fix the cause. Then `afterword retry`.",
    ),
}
"""In the order of the checks."""
