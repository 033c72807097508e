"""Node-RED and n8n, set up for these webhooks as an automation engineer would: `make bench-peers`.

Each verifies the signature, responds 202, waits for 15 minutes, and makes the offer. Node-RED waits in memory; n8n
keeps a waiting execution in its own database.
"""
