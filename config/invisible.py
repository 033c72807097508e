"""Invisible characters in untrusted text: control characters and those that change the direction of writing.

On a terminal, in a log or in a note, they could move the cursor, forge a line or reorder the text.
"""

import re

_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def drop_invisible(text: str) -> str:
    """Remove all invisible characters, line breaks included."""
    return _INVISIBLE.sub("", text)


def escape_invisible(text: str) -> str:
    r"""Escape all invisible characters as JSON does: a line break becomes the two characters `\n`."""
    return _INVISIBLE.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04x}"), text)
