"""Redis: one hash for each survey, and one Lua script for each transition."""
