"""The heart: what a survey is, who is asked, and how it gets from a close to a result. No web, queue or HTTP here."""
