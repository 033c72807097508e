"""Turns the refusals of a mail server into errors, by RFC 5321 and RFC 3463.

A 5xx about the recipient is permanent, and nothing else is. Any other 5xx is about our account, sender, settings or a
policy, and an operator can repair those. A 4xx is temporary. Errors never quote a reply: replies contain addresses.
"""

import re

from service.surveys.errors import ChannelDown, DeliveryRefused, NotDelivered

_MAILBOX_CODES = {550, 551, 552, 553, 556}
"""Replies to RCPT about the recipient (RFC 5321, RFC 7504)."""

_ABOUT_SENDER = {"5.1.7", "5.1.8", "5.1.90", "5.2.252"}
"""Enhanced codes about the sender, although other 5.1.x and 5.2.x codes are about the recipient.

The last two are Exchange's: the sender's daily limit, and no permission to send as this sender.
"""


def refusal(code: int, reply: bytes, command: str) -> NotDelivered | DeliveryRefused:
    """Return the error for a refusal: temporary, about the recipient, or about us."""
    # The enhanced code begins each line, or only the last one. Cisco's gateways write a # before it.
    found = re.search(rb"(?m)^#?([245]\.\d{1,3}\.\d{1,3})\b", reply)
    enhanced = found[1].decode() if found else ""
    problem = f"the mail server replied to {command} with {code} {enhanced}".rstrip()
    if code // 100 != 5:  # noqa: PLR2004 - permanent, RFC 5321
        return NotDelivered(problem)
    return (DeliveryRefused if _is_about_recipient(code, enhanced, command) else ChannelDown)(problem)


def _is_about_recipient(code: int, enhanced: str, command: str) -> bool:
    """Return whether no change of our settings can help.

    A refusal without a known enhanced code is about us, except a mailbox code in reply to RCPT.
    """
    if command == "MAIL" or enhanced in _ABOUT_SENDER:
        return False
    if enhanced.startswith(("5.1.", "5.2.")):  # Address, mailbox.
        return True
    is_about_us = enhanced.startswith(("5.3.", "5.7."))  # The server itself, policy.
    return command == "RCPT" and code in _MAILBOX_CODES and not is_about_us
