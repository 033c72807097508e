"""`[survey.brand]` of surveys.toml: the brand that a survey asks for, where that isn't the installation's.

Each value is read, and refused, as the environment's variable for the same is. A record keeps what was written, so that
its pages stay as they were when the customer was asked.
"""

import base64
from collections.abc import Callable
from typing import Any, Final

from marshmallow import ValidationError, fields, post_dump, post_load, validate

from service.surveys import theme as brand
from service.surveys import urls
from service.surveys.brand import OwnBrand
from service.surveys.theme import Logo
from service.surveys.toml.fields import Strict, Text, written_as

_NO_LOGO: Final = Logo("", adapts=False)
_COLOUR: Final = r"#[0-9a-f]{6}\Z"


class _LogoData(fields.Field[Logo]):
    """A logo as a record keeps it: its `data:` URI, of which all else can be told."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Logo:
        content = base64.b64decode(str(value).partition(",")[2])
        return Logo(str(value), adapts=brand.adapts(content))

    def _serialize(self, value: Logo | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else value.uri


class BrandSchema(Strict):
    """`[survey.brand]` in a record's terms, where everything has been read once and found right."""

    error_messages = written_as("[survey.brand]", 'name = "Northwind"')

    name = Text()
    accent = Text(validate=validate.Regexp(_COLOUR))
    accent_dark = Text(validate=validate.Regexp(_COLOUR))
    logo: fields.Field[Any] = _LogoData()
    support_url = Text()
    privacy_url = Text()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> OwnBrand:
        return OwnBrand(**data)

    @post_dump
    def _keep_what_is_set(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}


class _Written(Text):
    """A text that `read` takes as it takes a variable's. An empty one is `none`, if there may be none."""

    def __init__(self, read: Callable[[str], Any], none: Any = None) -> None:
        super().__init__()
        self._read = read
        self._none = none

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs).strip()
        if not text:
            if self._none is None:
                raise ValidationError("Empty. Write it, or leave the key out to have the environment's.")
            return self._none
        try:
            return self._read(text)
        except ValidationError as error:
            raise ValidationError([message[0].upper() + message[1:] for message in map(str, error.messages)]) from error


class WrittenBrandSchema(BrandSchema):
    """`[survey.brand]` in surveys.toml. The path of a logo is relative to the working folder, as BRAND_LOGO's is."""

    name = _Written(brand.label)
    accent = _Written(brand.light_accent)
    accent_dark = _Written(brand.dark_accent)
    logo = _Written(brand.logo, none=_NO_LOGO)
    support_url = _Written(urls.contact, none="")
    privacy_url = _Written(urls.link, none="")
