"""`[survey.brand]` of surveys.toml: a brand that replaces the installation's.

Each key is parsed like the variable of the same meaning, such as BRAND_ACCENT.
"""

from collections.abc import Callable
from typing import Any, Final

from marshmallow import ValidationError

from service.surveys import theme, urls
from service.surveys.brand import OwnBrand
from service.surveys.theme import Logo
from service.surveys.toml.fields import Strict, Text, written_as

_NO_LOGO: Final = Logo("", adapts=False)


class _Parsed(Text):
    """A text that `parse` takes as a variable's. An empty one becomes `empty`, or is a mistake without that."""

    def __init__(self, parse: Callable[[str], Any], empty: Any = None) -> None:
        super().__init__()
        self._parse = parse
        self._empty = empty

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs).strip()
        if not text:
            if self._empty is None:
                raise ValidationError("Empty. Write it, or leave the key out to have the environment's.")
            return self._empty
        try:
            return self._parse(text)
        except ValueError as error:
            problem = str(error)
            raise ValidationError(problem[0].upper() + problem[1:]) from error


class BrandSchema(Strict):
    """`[survey.brand]`. A logo's path is relative to the working folder, as BRAND_LOGO's is."""

    made = OwnBrand
    error_messages = written_as("[survey.brand]", 'name = "Northwind"')

    name = _Parsed(theme.label)
    accent = _Parsed(theme.light_accent)
    accent_dark = _Parsed(theme.dark_accent)
    logo = _Parsed(theme.logo, empty=_NO_LOGO)
    support_url = _Parsed(urls.contact, empty="")
    privacy_url = _Parsed(urls.link, empty="")
