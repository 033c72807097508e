"""The domain: what a survey is, and the nouns of its story. Nothing here is read from Redis, HTTP or a queue."""
