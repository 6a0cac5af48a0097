"""What goes wrong, by what a caller would do about it."""

from tailrace._public import Public

__all__ = ["ProtocolError", "TailraceError", "in_words", "log_problem"]


class TailraceError(Exception, metaclass=Public):
    """
    Base of the errors that are tailrace's own.

    Bad arguments are `ValueError` or `TypeError`, as everywhere in Python; lines that do not
    parse are no errors but counted in the snapshot.
    """


class ProtocolError(TailraceError):
    """
    A peer that broke the Flume protocol; its connection ends, everything else goes on.

    The message says what was expected and what was found.
    """


def in_words(problem: Exception) -> str:
    """
    Return what went wrong, and with which file where it is of one.

    >>> in_words(FileNotFoundError(2, "No such file or directory", "access.log"))
    'access.log: No such file or directory'
    """
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {(problem.strerror or str(problem)).rstrip('.')}"
    return str(problem)


def log_problem(problem: Exception) -> None:
    """Tell of a problem while other things go on, maybe for ever."""
    import logging  # noqa: PLC0415 - where an event loop runs it is loaded

    logging.getLogger(__name__).warning("%s", in_words(problem))
