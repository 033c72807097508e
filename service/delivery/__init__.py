"""How a link reaches a customer, and an answer the team: one module for each way."""
