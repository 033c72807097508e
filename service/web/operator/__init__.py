"""The operator's window at `/operator`: pages for people who may log in. Only imported if a login is set up.

Its pages are in English, and work without JavaScript. They read Redis and the archive, and never call Dixa.
"""
