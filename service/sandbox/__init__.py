"""A fake Dixa. It keeps its state in memory, reports duplicates, sends signed webhooks and injects faults.

`make run` uses it, and so do all tests, over real HTTP. It shares no code with the Dixa client under test.
"""
