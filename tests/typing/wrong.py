"""
What type checkers reject; never run.

Each ignored error has to occur: mypy and pyright report an ignore that is not needed.
"""

from datetime import timedelta

import tailrace as tr


def grouping_is_no_ranking(query: tr.Query) -> None:
    query.top(5, by="count")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def ranking_has_a_name(query: tr.Query) -> None:
    query.top(5, "count")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def unknown_counter(lines: tr.LineCounts) -> None:
    lines["lost"] = 1  # type: ignore[typeddict-unknown-key] # pyright: ignore[reportGeneralTypeIssues]


def immutable(aggregate: tr.Aggregate) -> None:
    aggregate.function = "max"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def no_tuple(reject: tr.Reject) -> None:
    reject[0]  # type: ignore[index] # pyright: ignore[reportIndexIssue]


def no_aggregate(query: tr.Query) -> None:
    query.agg(by="url", hits="n")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def no_time(window: tr.Window) -> None:
    window.advance("now")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def unknown_time(query: tr.Query) -> None:
    query.window("5m", time="now")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def bounds_has_a_name(snapshot: tr.Snapshot) -> None:
    snapshot.to_pandas(1)  # type: ignore[call-arg, arg-type] # pyright: ignore[reportCallIssue]


def no_span(window: tr.Window) -> None:
    window.advance(timedelta(1))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
