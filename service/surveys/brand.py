"""The brand in whose name a survey is sent: the installation's, or that of `[survey.brand]`."""

from dataclasses import dataclass

from service.surveys.theme import DEFAULT_THEME, Logo, Theme, make_theme


@dataclass(frozen=True, slots=True)
class Brand:
    """Who asks: its name and look, and where customers get help and read about privacy."""

    name: str
    theme: Theme = DEFAULT_THEME
    support_url: str | None = None
    privacy_url: str | None = None


@dataclass(frozen=True, slots=True)
class OwnBrand:
    """What a survey says of its brand. None is as the installation has it; an empty link or logo is no link or logo."""

    name: str | None = None
    accent: str | None = None
    accent_dark: str | None = None
    logo: Logo | None = None
    support_url: str | None = None
    privacy_url: str | None = None

    def over(self, usual: Brand) -> Brand:
        """Give the brand of a survey in an installation of the `usual` one.

        With an accent of its own it has no other's for the dark: that one is made from it unless it is written too.
        """
        accent = self.accent or usual.theme.light.accent
        dark_accent = self.accent_dark or (None if self.accent else usual.theme.dark.accent)
        logo = usual.theme.logo if self.logo is None else self.logo if self.logo.uri else None
        return Brand(
            name=self.name or usual.name,
            theme=make_theme(accent, dark_accent, logo),
            support_url=(usual.support_url if self.support_url is None else self.support_url) or None,
            privacy_url=(usual.privacy_url if self.privacy_url is None else self.privacy_url) or None,
        )
