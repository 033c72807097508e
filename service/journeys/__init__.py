"""The journeys of a survey: from a close to the link, and from an answer to its result and follow-up."""
