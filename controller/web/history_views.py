"""The Flask handlers of usage, executions and what confines them."""

from flask import Response, jsonify, request

from controller.json_codec import dumps
from controller.web.history_schemas import executions_query, usage_query
from controller.web.route import Admitted, Reply
from controller.web.services import Services


def usage(services: Services, admitted: Admitted) -> Reply:
    """Tell what the caller's executions used."""
    asked = usage_query(request.args)
    admitted.permit()
    return Response(
        dumps(services.history.usage(admitted.identity.subject, asked)), mimetype="application/json"
    )


def list_executions(services: Services, admitted: Admitted) -> Reply:
    """List a page of the caller's executions."""
    asked = executions_query(request.args)
    admitted.permit()
    page = services.history.executions(admitted.identity.subject, asked)
    # Not by `jsonify`: the documents of the log pass as they are.
    return Response(dumps(page), mimetype="application/json")


def isolation(services: Services, admitted: Admitted) -> Reply:
    """Tell what confines scripts."""
    admitted.permit()
    return jsonify(services.isolation.document())
