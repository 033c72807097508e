"""What customers read, in every language."""
