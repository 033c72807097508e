"""What an operator decides: the environment, surveys.toml and how logs look. Imports nothing of the service."""
