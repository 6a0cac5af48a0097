"""Immutable values with named fields."""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

__all__ = ["record"]

T = TypeVar("T")


class _Methods:
    """What every record has; its fields are its slots."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        pairs = zip(self.__slots__, _values(self), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), _values(self)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be deleted")


def _values(one: Any) -> tuple[Any, ...]:  # noqa: ANN401 - of any class of records
    return tuple([getattr(one, name) for name in one.__slots__])


# `dataclasses` imports `inspect`, which takes longer than all of this package. A `NamedTuple` is a
# tuple: `help` shows its methods, and it compares equal to other tuples.
@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """
    Make the instances of a class immutable, comparable, hashable and picklable.

    The `__slots__` of the class are its fields, in the order in which its `__init__` takes them.
    That sets them with `object.__setattr__`.

    >>> @record
    ... class Point:
    ...     __slots__ = ("x", "y")
    ...
    ...     def __init__(self, x, y):
    ...         object.__setattr__(self, "x", x)
    ...         object.__setattr__(self, "y", y)
    >>> Point(1, 2), Point(1, 2) == Point(1, 2)
    (Point(x=1, y=2), True)
    """
    for name, method in _Methods.__dict__.items():
        if callable(method) and (name not in cls.__dict__ or name == "__hash__"):
            setattr(cls, name, method)
    return cls
