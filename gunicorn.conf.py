"""gunicorn's configuration. Its master reads this file at start and at each HUP."""

from service.web import connection_balance, connections, gunicorn_hooks

# The addresses of the start, also after a HUP. If they changed, gunicorn would close its sockets before it opens new
# ones, and end if it can't.
bind = list(gunicorn_hooks.addresses())

worker_class = connections.Worker
workers = 2
# The master kills a worker that hasn't reported for this long. A gevent worker reports each second, unless it is stuck.
timeout = 30
# The limit of an idle connection. gunicorn's gevent worker applies it to reading a request's head, too.
keepalive = 5
# Slightly more than a body (10 s) and the end of its connection (2 s) can take.
graceful_timeout = 15
# Workers are not recycled after a number of requests: they don't grow (docs/benchmarks.md).
max_requests = 0
# gunicorn's control interface: nothing of ours needs it.
control_socket_disable = True

# Cookies of a parent domain may have 16 kB, and must pass. Fewer fields keep the limit of the whole head as it was.
limit_request_field_size = 16_500
limit_request_fields = 50
# By default gunicorn would take SCRIPT_NAME and PATH_INFO from a proxy.
forwarder_headers = ""
# By default gunicorn would take the scheme from a proxy, and refuse all requests with 400 if two such headers
# contradict each other. ProxyFix (`service.web.app`) does this instead, for as many proxies as PROXY_HOPS.
secure_scheme_headers: dict[str, str] = {}

on_starting = gunicorn_hooks.on_starting
on_reload = gunicorn_hooks.on_reload
pre_fork = connection_balance.take_slot
post_fork = gunicorn_hooks.post_fork
post_worker_init = gunicorn_hooks.post_worker_init
