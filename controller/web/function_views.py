"""The Flask handlers of functions, their versions and aliases.

Each calls `Admitted.permit` after it has found what the caller owns.
"""

from flask import Response, jsonify, request

from controller.errors import InvalidRequest, NotFound
from controller.models.cursors import cursor_of, number_of
from controller.models.responses import Aliases, FunctionDetail, FunctionVersions
from controller.registry.function_answers import alias_answer
from controller.web import ids
from controller.web.route import Admitted, Reply
from controller.web.services import Services

#: A number above that of any version.
ABOVE_ALL = 2**31 - 1


def list_functions(services: Services, admitted: Admitted) -> Reply:
    """List a page of the functions that the caller sees."""
    query = services.parser.functions(request.args)
    admitted.permit()
    return jsonify(services.functions.page(admitted.identity.subject, query))


def describe_function(services: Services, admitted: Admitted) -> Reply:
    """Describe a function."""
    ref = ids.function_ref(admitted.ids["function_ref"])
    detail = services.functions.detail(ref, admitted.identity.subject)
    admitted.permit(ref.name.language)
    return _shown(detail)


def put_function(services: Services, admitted: Admitted) -> Reply:
    """Make a version of a function."""
    asked = services.parser.put_function(request.environ, admitted.ids["function_ref"], admitted.body)
    # The registrar checks the scope: it knows the runtimes.
    detail, created = services.registrar.put(admitted.call, admitted.identity, asked)
    return _shown(detail), 201 if created else 200


def delete_function(services: Services, admitted: Admitted) -> Reply:
    """Delete a function of the caller, or a version of it."""
    ref, owner = ids.function_ref(admitted.ids["function_ref"]), admitted.identity.subject
    services.functions.require_own(ref.name, owner)
    admitted.permit(ref.name.language)
    if not ref.selector:
        services.functions.delete(ref.name, owner)
    elif ref.selector.isdecimal():
        services.functions.delete_version(ref.name, owner, int(ref.selector))
    else:
        raise InvalidRequest("a version is deleted by its number, and an alias at /aliases/{alias}")
    return "", 204


def list_versions(services: Services, admitted: Admitted) -> Reply:
    """List a page of a function's versions."""
    name = ids.language_title(admitted.ids["language_title"])
    query = services.parser.versions(request.args)
    before, most = number_of(query.get("cursor"), ABOVE_ALL), query["per_page"]
    versions = services.functions.versions(name, admitted.identity.subject, before, most + 1)
    admitted.permit(name.language)
    cursor = cursor_of(versions[most - 1].version) if len(versions) > most else None
    return jsonify(FunctionVersions(versions[:most], cursor))


def list_aliases(services: Services, admitted: Admitted) -> Reply:
    """List the aliases of a function."""
    name = ids.language_title(admitted.ids["language_title"])
    aliases = services.functions.aliases(name, admitted.identity.subject)
    admitted.permit(name.language)
    return jsonify(Aliases(aliases))


def describe_alias(services: Services, admitted: Admitted) -> Reply:
    """Describe an alias of a function."""
    name = ids.language_title(admitted.ids["language_title"])
    alias = ids.alias(admitted.ids["alias"])
    aliases = services.functions.aliases(name, admitted.identity.subject)
    admitted.permit(name.language)
    found = [one for one in aliases if one.alias == alias]
    if not found:
        raise NotFound(f"there is no function {name}@{alias}")
    return jsonify(found[0])


def put_alias(services: Services, admitted: Admitted) -> Reply:
    """Set an alias of a function of the caller."""
    name, owner = ids.language_title(admitted.ids["language_title"]), admitted.identity.subject
    alias = ids.alias(admitted.ids["alias"])
    target = services.parser.alias_target(admitted.body)
    services.functions.require_own(name, owner)
    admitted.permit(name.language)
    created = services.functions.put_alias(name, owner, alias, target)
    return jsonify(alias_answer(alias, target)), 201 if created else 200


def delete_alias(services: Services, admitted: Admitted) -> Reply:
    """Delete an alias of a function of the caller."""
    name, owner = ids.language_title(admitted.ids["language_title"]), admitted.identity.subject
    alias = ids.alias(admitted.ids["alias"])
    services.functions.require_own(name, owner)
    admitted.permit(name.language)
    services.functions.delete_alias(name, owner, alias)
    return "", 204


def _shown(detail: FunctionDetail) -> Response:
    answer = jsonify(detail)
    answer.set_etag(str(detail.version))
    return answer
