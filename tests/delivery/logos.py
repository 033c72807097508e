"""Test logos: pictures of one colour, as small as PNG allows."""

import struct
import zlib
from base64 import b64encode

from service.surveys.theme import DEFAULT_THEME, Logo, Theme


def png(width: int, height: int) -> bytes:
    """Draw a dark green rectangle."""
    rows = (b"\0" + bytes([11, 93, 86]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def theme_with(content: bytes, kind: str = "image/png") -> Theme:
    """Return the default colours with this logo."""
    uri = f"data:{kind};base64,{b64encode(content).decode()}"
    return Theme(DEFAULT_THEME.light, DEFAULT_THEME.dark, Logo(uri, adapts=False))


PNG_THEME = theme_with(png(180, 64))
SVG_THEME = theme_with(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml")
