"""The long forms run when they are asked for by their folder (``make chaos``); the suite has the short ones."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the long forms alone where the whole suite runs."""
    asked = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    wanted = any(path == HERE or HERE in path.parents for path in asked)
    return None if wanted or collection_path.suffix != ".py" else True
