"""The survey e-mail: text, HTML and delivery by SMTP."""
