"""Ends with status 0 when the server of this container answers for its health: for HEALTHCHECK."""

import http.client
import os
import sys

TIMEOUT = 4
"""Seconds."""

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=TIMEOUT)
connection.request("GET", "/health")
sys.exit(connection.getresponse().status != 200)
