"""Answers each request with its own body."""


def handle(event, context):
    """Answer a request, which has `event.body`, `.headers`, `.method`, `.query` and `.path`.

    Return text, bytes, a list, a dict or None, or `{"statusCode": ..., "headers": ..., "body": ...}`.
    """
    return {"statusCode": 200, "headers": {"Content-Type": "text/plain; charset=utf-8"}, "body": event.body}
