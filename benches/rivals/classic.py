"""The regular expression of the classic program, as many copies of it have it."""

CLASSIC = (
    r"(?P<host>\S+)\s+\S+\s+(?P<user>\S+)\s+\[(?P<time>.+)\]\s+"
    r'"(?P<request>.+)"\s+(?P<status>[0-9]+)\s+(?P<size>\S+)\s+'
    r'"(?P<referer>.*)"\s+"(?P<agent>.*)"\s*\Z'
)
