"""OpenAPI path items."""

from typing import Any, Final

PATHS: Final[dict[str, dict[str, Any]]] = {}
