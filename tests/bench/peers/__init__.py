"""Node-RED and n8n as an automation engineer would set them up for these webhooks: `make bench-peers`.

Each verifies the signature, responds 202, and calls Dixa afterwards. Neither keeps a webhook that it has accepted.
"""
