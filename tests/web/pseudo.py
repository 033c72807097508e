"""A pseudo-language made from the English texts, to find text without a translation.

Texts are accented, 40 % longer and in brackets. So cut texts and sentences joined from pieces show, too. Its code
is Esperanto's, since Babel knows no `en_XA`.
"""

import re

from service.texts.catalog import CATALOGS, Language, read_texts

_ACCENTS = str.maketrans("AEIOUaceinouyz", "ÀÉÎÕÛåçéîñöûýž")
_PLACE = re.compile(r"(%\(\w+\)s)")


def pseudo(text: str) -> str:
    """Translate a text into the pseudo-language. Placeholders stay."""
    parts = [part if _PLACE.fullmatch(part) else part.translate(_ACCENTS) for part in _PLACE.split(text)]
    return f"[{''.join(parts)}{' ·' * (len(text) // 5)}]"


_ENGLISH = CATALOGS / "en" / "LC_MESSAGES" / "messages.po"
PSEUDO = Language("eo", "Pseudo", {text: pseudo(text) for text in read_texts(_ENGLISH)})
