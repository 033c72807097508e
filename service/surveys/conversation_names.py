"""How people name a conversation: by its number, by the URL of its page in Dixa, or by a survey id."""

import re

_NAMED = re.compile(
    r"(?: \#? | https?://[^\s?]*/ )"  # The number as Dixa shows it, or the URL of its page.
    r"([0-9]{1,18})"
    r"(?: -[0-9]{1,9} | /?(?:[?\#]\S*)? )",  # The round of a survey id, or the end of a URL.
    re.VERBOSE,
)


def read_conversation_id(text: str) -> int | None:
    """Return the number of `48203`, `#48203`, the URL of its page in Dixa, or `48203-2`. None for another text."""
    named = _NAMED.fullmatch(text.strip())
    return int(named[1]) or None if named else None
