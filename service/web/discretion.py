"""What other people's code would say of our links in the log, and must not."""

import logging
import re

_LINK = re.compile(r"(/s/)[^\s?'\"]+")


class _HidesLinks(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _LINK.sub(r"\1***", record.getMessage()), ()
        return True


_HIDES_LINKS = _HidesLinks()


def hide_links_in(logger_name: str) -> None:
    """Mask the tokens of links that this logger quotes.

    Gunicorn repeats every request line that it can't read, and Flask names the path of a request that failed.
    """
    logging.getLogger(logger_name).addFilter(_HIDES_LINKS)
