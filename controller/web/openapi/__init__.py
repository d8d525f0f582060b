"""The OpenAPI document of the public contract, made of the table of routes, and the page that shows it.

May import `web.routes`, `errors`, `models`.
"""
