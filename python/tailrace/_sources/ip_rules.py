"""Which peers may connect: the `ipFilterRules` of a Flume Avro source."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

__all__ = ["IpRules"]

_EXAMPLE = "allow:ip:10.0.*,deny:ip:*"
_PARTS = 3
_LOCAL = "localhost"


class _Rule(NamedTuple):
    is_allowed: bool
    is_name: bool
    pattern: str
    matches: re.Pattern[str]


class IpRules:
    """
    Rules as Flume has them: the first that matches decides, and without one a peer is allowed.

    A rule is `allow` or `deny`, then `ip` or `name`, then a pattern, with colons in between. In a
    pattern `*` is any text and `?` one character. `name:localhost` is every address of this
    machine that begins with 127 or is `::1`; other names are looked up by the address of the peer.

    Args:
        text: The rules, separated by commas.

    Raises:
        ValueError: The text is not such a list.

    >>> rules = IpRules("allow:ip:10.1.*,deny:ip:*")
    >>> rules.allows("10.1.2.3"), rules.allows("10.2.2.3")
    (True, False)
    """

    def __init__(self, text: str) -> None:
        self._rules = [_rule(part) for part in text.split(",")]

    @property
    def needs_name(self) -> bool:
        """Whether names of peers have to be looked up."""
        return any(rule.is_name and rule.pattern != _LOCAL for rule in self._rules)

    def allows(self, address: str, name: str | None = None) -> bool:
        """
        Return whether a peer may connect.

        Args:
            address: Its address, without a port.
            name: Its name; the address itself if it has none.
        """
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            # A socket that is closed already has no address.
            parsed = None
        # Java writes every group of an IPv6 address, without leading zeros.
        texts = [address]
        if isinstance(parsed, ipaddress.IPv6Address):
            texts.append(":".join(f"{int(group, 16):x}" for group in parsed.exploded.split(":")))
        for rule in self._rules:
            if rule.is_name and rule.pattern == _LOCAL:
                is_match = parsed is not None and parsed.is_loopback
            elif rule.is_name:
                is_match = rule.matches.fullmatch(name or address) is not None
            else:
                is_match = any(rule.matches.fullmatch(text) for text in texts)
            if is_match:
                return rule.is_allowed
        return True


def _rule(text: str) -> _Rule:
    # An address of IPv6 has colons of its own.
    parts = text.strip().split(":", _PARTS - 1)
    pattern = parts[-1].strip()
    if len(parts) < _PARTS or parts[0] not in ("allow", "deny") or parts[1] not in ("ip", "name"):
        raise ValueError(
            f"ipFilterRules: expected allow or deny, ip or name, and a pattern, as in {_EXAMPLE}, "
            f"found {text.strip()!r:.80}"
        )
    if not pattern:
        raise ValueError(f"ipFilterRules: expected a pattern after {text.strip()!r:.80}")
    escaped = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    return _Rule(parts[0] == "allow", parts[1] == "name", pattern, re.compile(escaped, re.DOTALL))
