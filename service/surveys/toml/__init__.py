"""surveys.toml, read into the domain's dataclasses."""
