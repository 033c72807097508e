"""What comes in: closes, answers and opt-outs, and the spool they wait in while Redis is away."""
