"""The OpenAPI document of the public contract, generated from the table of routes, and the page that shows it.

May import `web.routes`, `errors`, `models`.
"""
