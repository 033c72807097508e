"""A stand-in for Dixa: it keeps what it is told, reports doubles, sends signed webhooks and fails on request.

People try the service against it (`make run`) and every test talks to it over real HTTP. It imports nothing of the
service it is used to test.
"""
