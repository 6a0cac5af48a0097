"""
What functions that Spark sends to executors use to import tailrace there.

Such a function has to be nested in another one, and to refer to nothing of this package but what
`importer` returns: then it is pickled by value, reaches a worker without tailrace, and can say so.
"""

from __future__ import annotations

import importlib
import platform
import sys
from typing import TYPE_CHECKING, Any

import tailrace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["importer"]


def importer() -> Callable[[str], Any]:
    """
    Return a function that imports a module of tailrace by its full name, in a Python worker.

    It raises one `ImportError` that names the worker, what is missing there and how to install it.
    A worker with another version is an error, too: it might parse or count in another way.

    >>> importer()("tailrace._names").AUTO
    'auto'
    """
    version = tailrace.__version__

    def import_module(name: str) -> Any:  # noqa: ANN401 - a module
        worker = f"worker {platform.node()}, {sys.executable} (Python {platform.python_version()})"
        fix = (
            "; install it for the Python of every executor, or send an environment with it as "
            "spark.archives; --py-files cannot do it, because a compiled module does not load "
            "from a zip"
        )
        try:
            package = importlib.import_module("tailrace")
            found = package.__version__
            if found == version:
                return importlib.import_module(name)
            problem = f"expected tailrace {version}, as on the driver, found {found}"
        except ModuleNotFoundError as error:
            missing = (error.name or str(error)).partition(".")
            problem = f"expected tailrace {version}, found no module {error.name}"
            if missing[0] != "tailrace":
                problem = f"tailrace needs {missing[0]}, which is not installed"
        except ImportError as error:
            problem = f"expected tailrace {version}, which does not load: {error}"
        raise ImportError(f"{worker}: {problem}{fix}") from None

    return import_module
