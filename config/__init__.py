"""What an operator sets: the environment, and how logs look. It reads surveys.toml into the domain's own types."""
