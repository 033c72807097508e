"""`make run`: everything on this machine, with nothing to set up."""
