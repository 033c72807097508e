"""The texts of the survey page, in English. The catalogs in `service/texts/translations` translate them.

Each text is a whole sentence with named placeholders. None contains markup: the templates escape them all. Texts
shared with e-mails and messages are in `service.texts.questions`; those of single pages are in `service.web.opt_out`
and `service.web.statements`. A comment that begins with "Translators:" goes into the catalogs.
"""

from collections.abc import Mapping
from typing import Final

from service.surveys.ratings import RatingType
from service.texts.catalog import N_

MAX_COMMENT_CHARACTERS: Final = 2000

TITLE: Final = N_("Rate your support")

SCALE_ENDS: Final[Mapping[RatingType, Mapping[int, str]]] = {
    RatingType.NPS: {0: N_("0 = not at all likely"), 10: N_("10 = extremely likely")},
}
SEVERAL: Final = N_("Answer at least one question. You can leave the others out.")
COMMENT_LABEL: Final = N_("What is the main reason for your rating? (optional)")
COMMENT_LABEL_AFTER: Final = N_("Anything you would like to add? (optional)")
COMMENT_HINT: Final = N_("Please leave out card numbers and passwords. Up to %(most)s characters.")
COMMENT_KEPT: Final = N_("Leave this empty to keep the comment you already sent.")
FORGET: Final = N_("Remove my comment")
SEND: Final = N_("Send feedback")
ADD_COMMENT: Final = N_("Add comment")
NOT_SAVED_YET: Final = N_("Not saved yet.")
CONFIRM: Final = N_("Confirm rating")
SAVED_NOW: Final = N_("Saved now: “%(answer)s”.")
HONEYPOT: Final = N_("Leave this field empty")

PROBLEM: Final = N_("There is a problem")
ERROR_PREFIX: Final = N_("Error:")
NOT_CHOSEN: Final[Mapping[RatingType, str]] = {
    RatingType.CSAT: N_("Choose how satisfied you are"),
    RatingType.NPS: N_("Choose how likely you are to recommend us"),
    RatingType.THUMBS: N_("Choose whether we solved your problem"),
}
NOTHING_CHOSEN: Final = N_("Answer at least one question")
NOTHING_TO_ADD: Final = N_("Write your comment first")
COMMENT_TOO_LONG: Final = N_("Your comment must be %(most)s characters or fewer")
NOT_SAVED: Final = N_("Your answer is not saved. Please try again.")

THANKS: Final = N_("Thank you for your feedback")
ANSWER_SAVED: Final = N_("Your answer “%(answer)s” is saved.")
ANSWERS_SAVED: Final = N_("Your answers are saved.")
COMMENT_SAVED: Final = N_("Your comment is saved too. You can close this page.")
COMMENT_REMOVED: Final = N_("Your comment is removed.")
# Translators: the time is written like "14:35" or "4 December 2026, 14:35", what is left of it like "in 5 minutes".
CHANGE_UNTIL: Final = N_("You can change your answer until %(time)s (%(left)s).")
CHANGE: Final = N_("Change your answer")
MORE_TIME: Final = N_("I need more time")
RECORDED: Final = N_("Your answer “%(answer)s” is recorded. It can no longer be changed.")
ALL_RECORDED: Final = N_("Your answers are recorded. They can no longer be changed.")
NOT_CHANGED: Final = N_("Your new choice came too late and is not saved.")
NOT_REMOVED: Final = N_("It is too late to remove your comment here: it was already passed on.")
RATING_RECORDED: Final = N_("Your rating is recorded")
COMMENT_TOO_LATE: Final = N_("Your comment came too late to be added.")
CLOSE_PAGE: Final = N_("You can close this page.")
CONTINUE: Final = N_("Continue to %(host)s")

CLOSED: Final = N_("This survey has closed")
CLOSED_WHY: Final[Mapping[str, str]] = {
    "expired": N_("Thank you for your interest. The time to answer is over."),
    "erased": N_("What we kept for this survey has been deleted."),
}
NOT_FOUND: Final = N_("This link does not work")
NOT_FOUND_WHY: Final = N_("It may have been cut short on its way. Please open it again from the message you received.")
UNAVAILABLE: Final = N_("Please try again in a minute")
UNAVAILABLE_WHY: Final = N_("This page cannot be shown right now. Your link still works.")
REACH_US_AS_BEFORE: Final = N_("If you still need help, please contact us the way you did before.")
CONTACT: Final = N_("Contact our support team")

PRIVACY_TITLE: Final = N_("Privacy")
PRIVACY: Final = N_(
    "Taking part is up to you. %(brand)s uses your answer to improve its support, and the support team can see it with "
    "this conversation. No cookies, no tracking."
)
UNTIL: Final = N_("You can answer until %(date)s.")
# Translators: the time is written like "90 days".
KEPT_FOR: Final = N_("Our copy is deleted %(time)s after the survey ends.")
PRIVACY_LINK: Final = N_("Privacy notice")
ACCESSIBILITY: Final = N_("Accessibility")
STOP_ASKING: Final = N_("Stop asking me")

# Translators: the name is the language's own, such as "Dansk".
LANGUAGE: Final = N_("Language: %(name)s")
