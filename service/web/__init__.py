"""The web process: webhooks in, survey pages out, health. Thin views over `service.surveys`; never talks to Dixa."""
