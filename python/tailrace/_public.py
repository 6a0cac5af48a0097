"""What `dir` and `help` show of public classes."""

from types import MemberDescriptorType
from typing import Any

__all__ = ["Public", "show_own_members"]


class Public(type):
    """
    The metaclass of public classes: `dir(cls)` and `help(cls)` list only their own public members.

    Without it, special methods and the members that exceptions inherit would be more than half of
    `help(tailrace)`. Attributes in slots are left out, because docstrings describe them.

    A class that only this package creates instances of hides the parameters of `__init__` from
    `help` with `__signature__ = "()"`.
    """

    def __dir__(cls) -> list[str]:
        return [
            name
            for name, value in cls.__dict__.items()
            if not name.startswith("_") and type(value) is not MemberDescriptorType
        ]


def show_own_members(typed_dict: Any) -> None:  # noqa: ANN401 - its metaclass is private
    """Do the same for a `TypedDict`, which takes no metaclass: hide the methods of `dict`."""
    plain = type(typed_dict)

    class PublicDict(Public, plain):  # type: ignore[misc, valid-type]
        def __new__(mcs, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - those of any class
            # A subclass: `typing` accepts only bases with the metaclass of every `TypedDict`.
            typed_dict.__class__ = plain
            try:
                return plain(*args, **kwargs)
            finally:
                typed_dict.__class__ = mcs

    typed_dict.__class__ = PublicDict
