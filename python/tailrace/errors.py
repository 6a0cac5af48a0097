"""What goes wrong, by what a caller would do about it."""

__all__ = ["ProtocolError", "TailraceError"]


class TailraceError(Exception):
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
