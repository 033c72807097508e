"""How Dixa spells the names of its own things: one way in webhooks, another in the API."""

CHANNELS = ("WidgetChat", "Email", "ContactForm", "PstnPhone", "Sms", "WhatsApp", "FacebookMessenger", "Messenger")
ASKED_DIRECTIONS = ("Inbound", "Outbound")
USER_TYPES = ("Contact", "Member")
"""Those that Dixa documents, like the channels."""

_KNOWN = (*CHANNELS, *ASKED_DIRECTIONS, "Internal", *USER_TYPES)
_API_NAMES = {name.casefold(): name for name in _KNOWN}


def api_spelling(name: str) -> str:
    """Spell a channel, direction or type as Dixa's API does: `WIDGET_CHAT` and `widgetchat` are both `WidgetChat`.

    Webhooks use capitals, the API does not (Dixa's developer documentation); unknown names pass through.
    """
    known = _API_NAMES.get(name.replace("_", "").casefold())
    if known:
        return known
    if name.isupper():
        return "".join(part.capitalize() for part in name.split("_"))
    return name
