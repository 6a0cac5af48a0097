"""The compiled core; private, and free to change with every release."""

from collections.abc import Sequence
from typing import Any, Final, Literal, final

from tailrace._types import (
    AggregateSpec,
    Answer,
    ArrowArray,
    ArrowStream,
    ChunkCounts,
    FieldKind,
    Kind,
    LineCounts,
    Output,
    Pane,
    RankedBy,
)

__all__ = [
    "ALIASES",
    "DETECTED",
    "FORMATS",
    "MAX_LINE_BYTES",
    "STEPS",
    "TERMINAL_CONTROLS",
    "BatchError",
    "Batcher",
    "Changes",
    "Delta",
    "Engine",
    "Filter",
    "FilterError",
    "Format",
    "Journal",
    "JournalError",
    "Lookups",
    "PaneCounter",
    "Table",
    "Window",
    "WindowSettings",
    "Zone",
    "__version__",
    "_debug_build",
    "count_events",
    "count_matches",
    "default_fields",
    "describe_format",
    "digest_events",
    "explain",
    "field_kind",
    "field_kinds",
    "first_lines",
    "found_fields",
    "has_field",
    "inspect",
    "look",
    "lookup_of",
    "parse",
    "parse_chunk",
    "parse_duration",
    "parse_rows",
    "sample_rejects",
    "standard_fields",
    "step_problem",
    "without_events",
    "write_rows",
]

__version__: Final[str]
_debug_build: Final[bool]
FORMATS: Final[list[str]]
DETECTED: Final[list[str]]
ALIASES: Final[list[tuple[str, str]]]
STEPS: Final[list[tuple[str, str, str]]]
MAX_LINE_BYTES: Final[int]
TERMINAL_CONTROLS: Final[str]

class BatchError(ValueError): ...
class FilterError(ValueError): ...

@final
class Delta:
    @property
    def newest_us(self) -> int | None: ...
    @property
    def lines(self) -> tuple[int, int, int]: ...

@final
class Engine:
    def __new__(
        cls,
        *,
        formats: Sequence[str | Format],
        by: list[str],
        aggregates: list[AggregateSpec],
        time: Literal["arrival", "header", "log"],
        settings: WindowSettings,
        sources: int,
        start_us: int,
        hash_seed: int,
        filter: Filter | None = None,
    ) -> Engine: ...
    def absorb(
        self,
        data: bytes,
        /,
        *,
        kind: Kind,
        span: tuple[int, int],
        source: int,
        format: str | Format,
        now_us: int,
        max_ahead_us: int | None,
        max_behind_us: int | None = None,
        sender: bytes | None = None,
        sender_header: bytes | None = None,
        resent: int = 0,
    ) -> Delta: ...
    def abandon(
        self,
        data: bytes,
        /,
        *,
        kind: Kind,
        span: tuple[int, int],
        source: int,
        now_us: int,
        sender: bytes | None = None,
    ) -> int: ...
    def apply(self, delta: Delta, /, listened_us: int | None = None) -> None: ...
    def add_source(self) -> int: ...
    def listen_to(self, source: int, /, listened_us: int = 0) -> None: ...
    def reopen_source(self, source: int, /) -> None: ...
    def senders(self, source: int, /) -> list[bytes]: ...
    def end_source(self, source: int, /, sender: bytes | None = None) -> None: ...
    def advance(self, now_us: int, /) -> None: ...
    def mark_idle(self, before_us: int, /) -> None: ...
    def is_crowded(self, source: int, /) -> bool: ...
    def log_time(self, now_us: int, /) -> int | None: ...
    def slowest_source(self) -> int | None: ...
    def finish(self) -> None: ...
    def next_snapshot(self) -> Answer | None: ...
    def next_pane(self, *, partials: bool = False) -> Pane | None: ...
    def last_snapshot(self) -> Answer | None: ...
    def snapshot(self) -> Answer: ...
    def current(self, at_us: int, /) -> Answer: ...
    def skip(self) -> None: ...
    def times(self) -> tuple[int | None, int | None, int | None]: ...
    def lines(self) -> LineCounts: ...
    def has_refused_keys(self) -> bool: ...
    def key_capacity(self) -> int: ...

@final
class PaneCounter:
    def __new__(
        cls,
        *,
        format: str | Format,
        by: list[str],
        aggregates: list[AggregateSpec],
        time: str,
        width_us: int,
        offset_us: int,
        hash_seed: int,
        filter: Filter | None = None,
    ) -> PaneCounter: ...
    def add(self, lines: ArrowArray | ArrowStream, /) -> None: ...
    def table(self) -> Table: ...
    def lines(self) -> LineCounts: ...

class JournalError(Exception):
    """The journal cannot be read or written."""

    kind: Literal["locked", "damaged", "version", "full", "other"]

@final
class Changes:
    """What changes an engine, in order: a round of a journal."""

    def __new__(cls) -> Changes: ...
    def __len__(self, /) -> int: ...
    def start(self, start_us: int, /) -> None: ...
    def delta(self, delta: Delta, /, listened_us: int | None = None) -> None: ...
    def abandon(self, source: int, sender: bytes | None, now_us: int, count: int, /) -> None: ...
    def advance(self, now_us: int, /) -> None: ...
    def idle(self, before_us: int, /) -> None: ...
    def add_source(self) -> None: ...
    def reopen_source(self, source: int, /) -> None: ...
    def listen_to(self, source: int, listened_us: int, /) -> None: ...
    def end_source(self, source: int, /, sender: bytes | None = None) -> None: ...
    def answered(self, engine: Engine, /) -> None: ...
    def note(self, note: bytes, /) -> None: ...
    def take(self, window: Window, /) -> None: ...

@final
class Journal:
    """A journal that is written by one process."""

    def __new__(cls, path: str, head: bytes, /, *, random: int) -> Journal: ...
    @property
    def head(self) -> bytes: ...
    @property
    def is_new(self) -> bool: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def is_state_due(self) -> bool: ...
    @property
    def counts(self) -> dict[str, int]: ...
    def restore(
        self, kept: Engine | Window, /
    ) -> tuple[bytes | None, list[bytes], int | None, int | None]: ...
    def collect(self, kept: Engine | Window, /, note: bytes | None = None) -> None: ...
    def commit(self, changes: Changes, /, note: bytes | None = None) -> None: ...
    def save(self, kept: Engine | Window, head: bytes, note: bytes, /) -> None: ...
    def close(self) -> None: ...

@final
class Window:
    def __new__(
        cls,
        *,
        by: list[str],
        aggregates: list[AggregateSpec],
        settings: WindowSettings,
        hash_seed: int,
        time: Literal["arrival", "header", "log"] | None = None,
    ) -> Window: ...
    @property
    def fields(self) -> list[str]: ...
    def add(self, keys: list[object], values: list[object], times: object, /) -> list[int]: ...
    def advance(self, now_us: int, /) -> None: ...
    def finish(self) -> None: ...
    def next_snapshot(self) -> Answer | None: ...
    def next_pane(self, *, partials: bool = False) -> Pane | None: ...
    def snapshot(self, lookback: int, /) -> Answer: ...
    def export(self) -> bytes: ...
    def export_table(self) -> Table: ...
    def merge(self, data: bytes, /) -> None: ...
    def merge_table(self, table: ArrowStream, /) -> None: ...
    def add_panes(self, table: ArrowStream, /) -> int: ...
    def panes_table(self) -> Table: ...

@final
class WindowSettings:
    def __new__(
        cls,
        *,
        lengths_us: list[int | None],
        slide_us: int | None,
        offset_us: int,
        lateness_us: int,
        limit: int | None,
        order_by: RankedBy | None,
        ascending: bool,
        track_ranks: bool,
        max_keys: int | None,
        max_key_bytes: int | None = None,
        bounds_us: tuple[int, int] | None = None,
    ) -> WindowSettings: ...

@final
class Zone:
    def __new__(cls, name: str, periods: list[tuple[int, int, str]]) -> Zone: ...

@final
class Lookups:
    def __new__(
        cls,
        *,
        countries: bytes | None = None,
        families: list[tuple[str, str]] | None = None,
        bots: tuple[list[tuple[str, bool, str]], list[str]] | None = None,
    ) -> Lookups: ...

@final
class Format:
    def __new__(
        cls, spec: str, /, zone: Zone | None = None, lookups: Sequence[Lookups] = ...
    ) -> Format: ...
    @property
    def spec(self) -> str: ...
    @property
    def has_header(self) -> bool: ...
    @property
    def is_open(self) -> bool: ...
    def sections(
        self, data: bytes, /, *, kind: Kind, span: tuple[int, int]
    ) -> tuple[list[tuple[tuple[int, int], Format]], Format]: ...

@final
class Filter:
    def __new__(
        cls, text: str | None, /, *, since_us: int | None = None, until_us: int | None = None
    ) -> Filter: ...
    @property
    def fields(self) -> list[tuple[str, tuple[int, int] | None]]: ...
    def check(self, format: str | Format, /) -> None: ...

@final
class Table:
    def __len__(self) -> int: ...
    @property
    def fields(self) -> list[str]: ...
    @property
    def filtered(self) -> int: ...
    @property
    def rejects(self) -> list[tuple[int, int, str, str]]: ...
    def select(self, names: list[str], /) -> Table: ...
    def head(self, rows: int, /) -> Table: ...
    def to_dicts(self) -> list[dict[str, Any]]: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Batcher:
    def __new__(cls, *, size: int, max_bytes: int) -> Batcher: ...
    def take(
        self, data: bytes, start: int, /, *, headers: list[tuple[str, str]]
    ) -> tuple[int, tuple[bytes, int] | None]: ...
    def end_text(self, *, headers: list[tuple[str, str]]) -> tuple[bytes, int] | None: ...
    def drop_line(self) -> None: ...
    def flush(self) -> tuple[bytes, int] | None: ...
    @property
    def pending(self) -> int: ...
    @property
    def long(self) -> int: ...
    @property
    def unsendable(self) -> int: ...

def inspect(
    path: str, /
) -> tuple[
    list[tuple[str, int, int, int, str, int, int | None, str | None]], tuple[str, str] | None
]: ...
def look(path: str, /, window: Window | None = None) -> dict[str, Any] | None: ...
def describe_format(name: str, /) -> tuple[str, str, str] | None: ...
def standard_fields() -> list[tuple[str, FieldKind, str]]: ...
def step_problem(
    format: str | Format, field: str, /
) -> tuple[str, str, list[str], tuple[str, str] | None] | None: ...
def default_fields(format: str | Format, /) -> list[str]: ...
def field_kinds(format: str | Format, /) -> list[tuple[str, FieldKind]]: ...
def field_kind(format: str | Format, field: str, /) -> FieldKind | None: ...
def parse_duration(text: str, /) -> int: ...
def has_field(format: str | Format, field: str, /) -> bool: ...
def lookup_of(
    format: str | Format, field: str, /
) -> Literal["country", "family", "bot"] | None: ...
def count_events(data: bytes, /, *, kind: Kind, span: tuple[int, int]) -> int: ...
def digest_events(
    data: bytes, /, *, kind: Kind, span: tuple[int, int], first: int | None = None
) -> tuple[int, bytes]: ...
def without_events(data: bytes, /, *, kind: Kind, span: tuple[int, int], first: int) -> bytes: ...
def count_matches(
    data: bytes,
    /,
    *,
    kind: Kind,
    span: tuple[int, int],
    formats: Sequence[str | Format],
    limit: int,
) -> tuple[int, list[int], list[int], list[list[int]]]: ...
def found_fields(
    data: bytes, /, *, kind: Kind, span: tuple[int, int], format: str | Format, limit: int
) -> list[tuple[str, int]]: ...
def first_lines(
    data: bytes,
    /,
    *,
    kind: Kind,
    span: tuple[int, int],
    format: str | Format,
    fields: list[str],
    limit: int,
) -> dict[str, Any]: ...
def parse(
    lines: bytes | list[bytes] | ArrowArray | ArrowStream,
    /,
    *,
    format: str | Format,
    fields: list[str] | None,
    filter: Filter | None = None,
) -> Table: ...
def parse_rows(
    lines: ArrowArray | ArrowStream,
    /,
    *,
    format: str | Format,
    fields: list[str],
    filter: Filter | None = None,
    keep_rejected: bool,
    reasons: str | None = None,
    bad_utf8: str | None = None,
) -> tuple[Table, Table | None, tuple[int, int, str, str] | None]: ...
def parse_chunk(
    data: bytes,
    /,
    *,
    kind: Kind,
    span: tuple[int, int],
    format: str | Format,
    fields: list[str] | None,
    rejects: tuple[bytes, int] | None = None,
    filter: Filter | None = None,
) -> tuple[Table, bytes, ChunkCounts]: ...
def write_rows(
    data: bytes,
    /,
    *,
    kind: Kind,
    span: tuple[int, int],
    format: str | Format,
    fields: list[str] | None,
    output: Output = "jsonl",
    rejects: tuple[bytes, int] | None = None,
    filter: Filter | None = None,
) -> tuple[bytes, bytes, ChunkCounts]: ...
def explain(data: bytes, /, *, format: str | Format) -> dict[str, Any]: ...
def sample_rejects(
    data: bytes,
    /,
    *,
    kind: Kind,
    span: tuple[int, int],
    format: str | Format,
    limit: int,
) -> list[tuple[int, int, str, bytes]]: ...
