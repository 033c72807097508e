"""How a link reaches a customer: one module a channel."""
