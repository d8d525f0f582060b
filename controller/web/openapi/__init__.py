"""The OpenAPI document of the public contract: operations, and schemas of requests and responses.

May import `web.request_schemas`, `errors`, `models`.
"""
