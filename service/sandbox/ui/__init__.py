"""The sandbox's web pages: an inbox to close conversations in, and the mails that arrived."""
