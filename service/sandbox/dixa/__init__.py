"""The Dixa that the sandbox plays: its API, its state, its faults and its webhooks."""
