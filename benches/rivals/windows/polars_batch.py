"""Polars: counts by second and key, `group_by_dynamic` over them, the top ten of each window."""

from __future__ import annotations

import polars as pl
from lines import DATA, LENGTH, TOP, timed, write_tops

with timed():
    seconds = (
        pl.scan_csv(
            DATA,
            separator="\t",
            has_header=False,
            new_columns=["time", "key"],
            schema_overrides=[pl.Int64, pl.String],
        )
        .with_columns(second=pl.col("time") // 1_000)
        .group_by("second", "key")
        .agg(n=pl.len())
    )
    last = seconds.select(pl.col("second").max())
    counted = seconds.sort("second").collect()
    # By default windows begin with each key's first event; the offset moves that a length back.
    windows = (
        counted.lazy()
        .group_by_dynamic(
            "second", every="1i", period=f"{LENGTH}i", offset=f"-{LENGTH - 1}i", group_by="key"
        )
        .agg(pl.col("n").sum())
        .with_columns(end=pl.col("second") + LENGTH)
        .filter(pl.col("end") <= counted["second"].max() + 1, pl.col("n") > 0)
        .filter(pl.col("n") >= pl.col("n").top_k(TOP).min().over("end"))
        .sort(["end", "n", "key"], descending=[False, True, False])
        .group_by("end", maintain_order=True)
        .agg(pl.col("key", "n").head(TOP))
        .collect()
    )
    write_tops(
        (end, list(zip(keys, counts, strict=True))) for end, keys, counts in windows.iter_rows()
    )
