"""What can't be seen in a text of others, and must not act: on a terminal, in a log, an alert or a note.

Control characters move a cursor or end a line, others turn the direction of what follows.
"""

import re

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def drop_unseen(text: str) -> str:
    """Leave it out; a line break, too."""
    return _UNSEEN.sub("", text)


def show_unseen(text: str) -> str:
    r"""Write it as JSON and Python do: a line break is the two characters `\n`."""
    return _UNSEEN.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04x}"), text)


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
