"""The survey service that one writes first, as good as its design allows: Flask, SET NX and `delay()`.

It checks the signature, parses the fields that Afterword parses, and retries as Celery's documentation shows. It keeps
nothing but its queue, and so it is what Afterword is measured against.
"""
