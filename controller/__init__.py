"""The library behind every endpoint. Its rooms follow the way of a request, from `web` down to `database`.

May import `telemetry`, nothing of `runtime`, `function`, `local` or `tools`.
"""

from typing import Final

VERSION: Final = "0.1.0"
