"""What customers read, shown to whoever sets it up: every page, message and e-mail, by the code that writes them."""
