"""What to use in place of an unknown option: names that other programs have for ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tailrace._names import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace._cli.parser import Parser

__all__ = ["instead"]

# Our options, as a message shows them, and what tail, watch, goaccess, sort, SQL and others call
# them.
_OTHER_NAMES = {
    "'-F' (--follow)": "-f --tail --live --real-time",
    "'--window'": "-w --duration --period --window-size",
    "'--slide'": "-s -i --interval --every --step --refresh --delay --sleep-interval --slide-by",
    "'--offset'": "--align --origin --shift",
    "'--lateness'": "--late --watermark --allowed-lateness",
    "'--last'": "--past --recent --latest",
    "'--by'": "-b -g --group-by --groupby --group --key --keys --field --fields",
    "'--show'": "-a --agg --aggregate --aggregates --select --stats --metric --metrics",
    "'--sort'": "-k -r --sort-by --order-by --orderby --order --reverse",
    "'-n' (--limit)": "-l --top --head --lines --rows --max --max-rows --count",
    "'--where'": "-e -q --filter --grep --query --match --condition --having",
    "'--since'": "--from --start --after --begin --newer --starttime",
    "'--until'": "--to --end --before --older --endtime",
    "'--tz'": "--timezone --time-zone --zone",
    "'--geoip'": "--geo --geoip-database --geoip-db --geoip-file --mmdb",
    "'--log-format'": "-p --input-format --in-format --parser --date-format --time-format",
    "'--format'": "--output-format --out-format",
    "'--format jsonl'": "--json --jsonl --ndjson",
    "'--format csv'": "--csv",
    "'--format arrow'": "--arrow",
    "'--format parquet'": "--parquet",
    "'--color'": "--colour --colors",
    "'--jobs'": "--threads --workers --parallel",
}

# An option in such a text, and its value.
_OPTION = re.compile(r"--[a-z-]+|(?<= )[a-z]+")

_OUTPUT = {"-o", "--output", "--out", "--output-file", "--outfile"}


def instead(name: str, verb: str, verbs: Mapping[str, Parser]) -> str:
    """
    Return what to use in place of an option that a verb does not have.

    Args:
        name: The option as it was given, without its value.
        verb: The verb's name.
        verbs: The parsers of all verbs.
    """
    parser, listed = verbs[verb], f"tailrace help {verb}"
    # A short option may have its value attached.
    names = {name, name if name.startswith("--") else name[:2]}
    if names & _OUTPUT and parser.takes("--format"):
        return "results go to standard output: write > FILE, and choose their form with --format"
    elsewhere = next((other for other, one in verbs.items() if one.takes(name)), None)
    for shown, foreign in _OTHER_NAMES.items():
        if names.isdisjoint(foreign.split()) or not parser.takes(*_OPTION.findall(shown)):
            continue
        more = f"{listed!r} lists all of them"
        if elsewhere is not None:
            more = f"'tailrace {elsewhere}' has {name}"
        return f"did you mean {shown}? {more}"
    if elsewhere is not None:
        return f"'tailrace {elsewhere}' has it"
    for shown, foreign in _OTHER_NAMES.items() if parser.takes("--where") else ():
        has_it = next((o for o, one in verbs.items() if one.takes(*_OPTION.findall(shown))), None)
        if has_it is not None and not names.isdisjoint(foreign.split()):
            return f"'tailrace {has_it}' has {shown}"
    return suggestion(name, parser.option_names(), listed)
