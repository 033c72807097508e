"""Comments of invented customers, by whether they are content."""

from collections.abc import Mapping, Sequence
from typing import Final

COMMENTS: Final[Mapping[bool, Sequence[str]]] = {
    True: (
        "Quick and friendly, thank you!",
        "Mads solved it in one message. Great.",
        "Hurtigt svar og god hjælp.",
        "Sehr freundlich, alles geklärt.",
        "The new size arrived the next day. Impressed.",
        "Snabb hjälp, tack!",
        "Très bon accueil.",
        "Easy. I wish every shop were like this.",
        "Answered at ten in the evening, wow.",
        "Alles bestens, gerne wieder.",
    ),
    False: (
        "Three weeks and the refund is still not here.",
        "I had to explain the same thing to three people.",
        "The return label did not work, twice.",
        "Ingen svarede på mit spørgsmål.",
        "Die Rücksendung hat ewig gedauert.",
        "Nobody told me that the parcel was lost.",
        "The chat closed before I could answer.",
        "Jag fick betala returen själv.",
        "Copied text, no real answer.",
        "Pas de nouvelles depuis dix jours.",
    ),
}
