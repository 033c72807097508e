"""The survey e-mail: its text, its HTML, and the SMTP conversation that hands it over."""
