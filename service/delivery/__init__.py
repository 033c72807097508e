"""The channels for links to customers, and for answers to the team."""
