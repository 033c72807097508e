"""The web process: webhooks in, survey pages out, health. Thin views over intake and records; never calls Dixa."""
