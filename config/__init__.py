"""The settings of an operator, and logging. surveys.toml is read into the types of `service.surveys`."""
