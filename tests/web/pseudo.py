"""A language that nobody speaks, made from the English texts: a text that isn't translated is seen at once.

It is accented, 40 % longer, and in brackets, so that a text that is cut or joined from pieces is seen as well. Its code
is Esperanto's, since Babel knows no `en_XA`.
"""

import re

from service.texts.catalog import CATALOGS, Language, read_texts

_ACCENTS = str.maketrans("AEIOUaceinouyz", "ÀÉÎÕÛåçéîñöûýž")
_PLACE = re.compile(r"(%\(\w+\)s)")


def pseudo(text: str) -> str:
    """Say a text in the pseudo-language; its places stay as they are."""
    parts = [part if _PLACE.fullmatch(part) else part.translate(_ACCENTS) for part in _PLACE.split(text)]
    return f"[{''.join(parts)}{' ·' * (len(text) // 5)}]"


_ENGLISH = CATALOGS / "en" / "LC_MESSAGES" / "messages.po"
PSEUDO = Language("eo", "Pseudo", {text: pseudo(text) for text in read_texts(_ENGLISH)})
