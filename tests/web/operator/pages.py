"""What a page of the window says."""

import re


def words(html: str) -> str:
    """Return the text of the page's main part."""
    main = html.partition("<main")[2].partition(">")[2].partition("</main")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())
