"""Names of Dixa's channels, directions and types. Webhooks and the API spell them differently."""

DIXA_CHANNELS = ("WidgetChat", "Email", "ContactForm", "PstnPhone", "Sms", "WhatsApp", "FacebookMessenger", "Messenger")
ASKED_DIRECTIONS = ("Inbound", "Outbound")
USER_TYPES = ("Contact", "Member")
"""DIXA_CHANNELS and USER_TYPES are the names that Dixa documents."""

_KNOWN = (*DIXA_CHANNELS, *ASKED_DIRECTIONS, "Internal", *USER_TYPES)
_API_NAMES = {name.casefold(): name for name in _KNOWN}


def api_spelling(name: str) -> str:
    """Return a name in the API's spelling: `WIDGET_CHAT` and `widgetchat` become `WidgetChat`.

    Webhooks use capitals, the API doesn't (Dixa's developer documentation). Unknown names pass through.
    """
    known = _API_NAMES.get(name.replace("_", "").casefold())
    if known:
        return known
    if name.isupper():
        return "".join(part.capitalize() for part in name.split("_"))
    return name
