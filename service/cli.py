"""The operator's commands: `afterword`, installed into .venv/bin."""
