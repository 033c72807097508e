"""What a request and a survey cost, in counts that are the same on every machine."""
