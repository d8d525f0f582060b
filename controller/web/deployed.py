"""The deployed functions, and the prefixes of their paths."""

from dataclasses import dataclass

from controller.web.id_fallback import Address


@dataclass(frozen=True, slots=True)
class DeployedFunction:
    """A function of stack.yml.

    Attributes:
        prefixes: the prefixes of its paths: the public one first, then its aliases.
        address: where it finds an id that is not in the path.
        folder: where in the function the paths below the prefixes lie. A function has one row for each folder.
    """

    name: str
    prefixes: tuple[str, ...]
    address: Address | None = None
    folder: str = ""


SESSION_ADDRESS = Address("request_id", "X-Session-ID")
INITIALIZE = DeployedFunction("initialize", ("/api/v1/initialize", "/initialize"))
EXECUTE = DeployedFunction("execute", ("/api/v1/execute", "/execute"), SESSION_ADDRESS)
SESSIONS = DeployedFunction("sessions", ("/api/v1/sessions", "/sessions"), SESSION_ADDRESS)
FUNCTIONS = DeployedFunction(
    "functions", ("/api/v1/functions",), Address("language_title", "X-Function-Title")
)
KEYS = DeployedFunction("functions", ("/api/v1/keys",), folder="/keys")
ENVIRONMENTS = DeployedFunction("functions", ("/api/v1/environments",), folder="/environments")
USAGE = DeployedFunction("functions", ("/api/v1/usage",), folder="/usage")
EXECUTIONS = DeployedFunction("functions", ("/api/v1/executions",), folder="/executions")
ISOLATION = DeployedFunction("functions", ("/api/v1/isolation",), folder="/isolation")
#: Serves every path that no other function serves.
HEALTH = DeployedFunction("health", ("",))
#: Stands for every function: the metrics exporter adds its routes to each.
EVERY = DeployedFunction("every", ("",))
DEPLOYED = {function.name: function for function in (INITIALIZE, EXECUTE, SESSIONS, FUNCTIONS, HEALTH)}
#: Every folder of every function.
FOLDERS = (*DEPLOYED.values(), KEYS, ENVIRONMENTS, USAGE, EXECUTIONS, ISOLATION)
