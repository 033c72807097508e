"""Who is asked, and why: pure functions from facts and terms to a decision."""
