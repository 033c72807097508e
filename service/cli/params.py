"""How an operator names a conversation: as Dixa shows it, or as our logs and receivers do."""

import re

import click

_NAMED = re.compile(
    r"(?: \#? | https?://[^\s?]*/ )"  # A number, as Dixa shows one, or the address of its page.
    r"([0-9]{1,18})"
    r"(?: -[0-9]{1,9} | /?(?:[?\#]\S*)? )",  # A survey's id with its round, or the end of an address.
    re.VERBOSE,
)


class ConversationId(click.ParamType[int]):
    """`48203`, `#48203`, the address of a page of Dixa's that ends in it, or a survey id such as `48203-2`."""

    name = "conversation id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give the number."""
        named = _NAMED.fullmatch(value.strip())
        if named is None or not (number := int(named[1])):
            self.fail(f"{value!r} names no conversation. Write the number, such as 48201.", param, ctx)
        return number
