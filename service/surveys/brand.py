"""Brands: the installation's, and those of `[survey.brand]`."""

from dataclasses import dataclass

from service.surveys.theme import DEFAULT_THEME, Logo, Theme, make_theme


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand's name, theme, and links for help and privacy."""

    name: str
    theme: Theme = DEFAULT_THEME
    support_url: str | None = None
    privacy_url: str | None = None


@dataclass(frozen=True, slots=True)
class OwnBrand:
    """A survey's brand. None means the installation's value. An empty link or logo means none."""

    name: str | None = None
    accent: str | None = None
    accent_dark: str | None = None
    logo: Logo | None = None
    support_url: str | None = None
    privacy_url: str | None = None

    def with_defaults(self, default: Brand) -> Brand:
        """Return this brand with missing values from the installation's.

        The installation's dark accent doesn't fit another accent, so it is derived from the survey's own.
        """
        accent = self.accent or default.theme.light.accent
        dark_accent = self.accent_dark or (None if self.accent else default.theme.dark.accent)
        logo = default.theme.logo if self.logo is None else self.logo if self.logo.uri else None
        return Brand(
            name=self.name or default.name,
            theme=make_theme(accent, dark_accent, logo),
            support_url=(default.support_url if self.support_url is None else self.support_url) or None,
            privacy_url=(default.privacy_url if self.privacy_url is None else self.privacy_url) or None,
        )
