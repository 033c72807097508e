"""Shows operators every page, message and e-mail, rendered by the same code as for customers."""
