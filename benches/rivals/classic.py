"""The expression of the classic program, as it stands in many a copy of it."""

CLASSIC = (
    r"(?P<host>\S+)\s+\S+\s+(?P<user>\S+)\s+\[(?P<time>.+)\]\s+"
    r'"(?P<request>.+)"\s+(?P<status>[0-9]+)\s+(?P<size>\S+)\s+'
    r'"(?P<referer>.*)"\s+"(?P<agent>.*)"\s*\Z'
)
