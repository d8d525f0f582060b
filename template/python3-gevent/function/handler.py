"""Answers each request with its own body."""


def handle(event, context):
    """Receives `event.body`, `.headers`, `.method`, `.query`, `.path`.

    Returns text, bytes, a list, a dict or None; `{"statusCode": ..., "headers": ..., "body": ...}` says all of it.
    """
    return {"statusCode": 200, "headers": {"Content-Type": "text/plain; charset=utf-8"}, "body": event.body}
