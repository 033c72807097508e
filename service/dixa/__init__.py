"""Dixa: webhook signatures, payloads, the API and its rate limit."""
