"""Errors of this package, and how problems are reported."""

from tailrace._public import Public

__all__ = [
    "CheckpointError",
    "ProtocolError",
    "SourceError",
    "TailraceError",
    "checkpoint_error",
    "in_words",
    "log_problem",
    "log_warning",
    "os_reason",
]


class TailraceError(Exception, metaclass=Public):
    """
    The base class of tailrace's own errors.

    Invalid arguments raise `ValueError` or `TypeError`. Lines that do not match their format raise
    nothing: they are counted in `Snapshot.lines`.
    """


class ProtocolError(TailraceError):
    """
    A peer violated the Flume protocol; only its connection is closed.

    The message says what was expected and what was found; `kind` is the same for all messages that
    differ only in what was found.
    """

    def __init__(self, message: str, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = message if kind is None else kind


class CheckpointError(TailraceError):
    """
    The directory of a checkpoint is in use, damaged, or cannot be read or written.

    The message names the file and says what to do.
    """


def checkpoint_error(directory: str, error: Exception) -> CheckpointError:
    """
    Return the error of a checkpoint, with its directory.

    >>> checkpoint_error("state", ValueError("the round is damaged at byte 5"))
    CheckpointError('state: the round is damaged at byte 5')
    """
    text = str(error)
    return CheckpointError(text if text.startswith(directory) else f"{directory}: {text}")


class SourceError(TailraceError, ValueError):
    """The lines of a source match no known format, or lack a field that a query needs."""


def in_words(problem: Exception) -> str:
    """
    Return the message of an error; for one of a file, with the file.

    >>> in_words(FileNotFoundError(2, "No such file or directory", "access.log"))
    'access.log: no such file or directory'
    """
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {os_reason(problem)}"
    return str(problem)


def os_reason(error: OSError) -> str:
    """
    Return the operating system's text for an error, in lower case as all messages are.

    >>> os_reason(PermissionError(13, "Permission denied"))
    'permission denied'
    """
    text = (error.strerror or str(error)).rstrip(".")
    # An abbreviation stays: `RPC struct is bad`.
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def log_problem(problem: Exception) -> None:
    """Log a problem as a warning, while everything else goes on."""
    log_warning(in_words(problem))


def log_warning(text: str) -> None:
    """Log a warning."""
    import logging  # noqa: PLC0415 - loaded already where an event loop runs

    logging.getLogger(__name__).warning("%s", text)
