"""How gunicorn serves the web. Its master reads this, and once more at each HUP; the Procfile names it."""

from service.web import connections, serving

# The same after a HUP: gunicorn would close what it listens on first, and end if it can't listen elsewhere.
bind = list(serving.addresses())

worker_class = connections.Worker
workers = 2
# A worker that doesn't answer the master for so long is killed.
timeout = 30
# A request's head has as long as that, too.
keepalive = 5
# Just above what a body and the end of its connection can take: nobody waits longer for a worker that is to end.
graceful_timeout = 15
# No worker is recycled after so many requests: it doesn't grow (docs/benchmarks.md).
max_requests = 0
control_socket_disable = True

# A cookie of 16 kB, which a parent domain may have set, has to pass. The head as a whole may be as large as before.
limit_request_field_size = 16_500
limit_request_fields = 50
# No proxy says where we are mounted: SCRIPT_NAME and its like are dropped.
forwarder_headers = ""
# Nor how it was reached: PROXY_HOPS says whom to believe. Two that contradict each other would be a 400 for everybody.
secure_scheme_headers: dict[str, str] = {}

on_starting = serving.on_starting
on_reload = serving.on_reload
post_fork = serving.post_fork
post_worker_init = serving.post_worker_init
