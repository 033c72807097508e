"""What happens next: from a due close to a link, and from an answer to its result."""
