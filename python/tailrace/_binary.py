"""Recognize files that are not logs by their first bytes, so that a message can name them."""

from __future__ import annotations

__all__ = ["kind_of"]

_COMPRESSED = ", a compression that tailrace does not read; decompress it first"
_ARCHIVE = "; give the files in it"

# Offsets, first bytes and names, from the descriptions of the formats and file(1)'s magic.
_KINDS: list[tuple[int, bytes, str]] = [
    (0, b"PK\x03\x04", f"a zip archive{_ARCHIVE}"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive{_ARCHIVE}"),
    (0, b"Rar!\x1a\x07", f"a RAR archive{_ARCHIVE}"),
    (257, b"ustar", f"a tar archive{_ARCHIVE}, such as with tar -xOf"),
    (0, b"!<arch>\n", f"an ar archive{_ARCHIVE}"),
    (0, b"\x04\x22\x4d\x18", f"lz4{_COMPRESSED}"),
    (0, b"\x02\x21\x4c\x18", f"lz4{_COMPRESSED}"),
    (0, b"\x89LZO\x00\x0d\x0a\x1a\x0a", f"lzop{_COMPRESSED}"),
    (0, b"LZIP", f"lzip{_COMPRESSED}"),
    (0, b"\x5d\x00\x00\x80\x00", f"lzma{_COMPRESSED}"),
    (0, b"\x1f\x9d", f"the output of compress (.Z){_COMPRESSED}"),
    (0, b"\xff\x06\x00\x00sNaPpY", f"snappy{_COMPRESSED}"),
    (0, b"LPKSHHRH", "a journal of systemd; use journalctl -o cat"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"ARROW1", "an Arrow file"),
    (0, b"Obj\x01", "an Avro file"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"MZ", "a program of Windows"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"ElfFile\x00", "an event log of Windows (evtx)"),
    (0, b"\xd4\xc3\xb2\xa1", "a capture of packets (pcap)"),
    (0, b"\xa1\xb2\xc3\xd4", "a capture of packets (pcap)"),
    (0, b"\x0a\x0d\x0d\x0a", "a capture of packets (pcapng)"),
]


def kind_of(head: bytes) -> str:
    r"""
    Return what kind of file begins with these bytes, or nothing if it may be a log.

    >>> kind_of(b"SQLite format 3\x00\x10")
    'an SQLite database'
    >>> kind_of(b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5')
    ''
    """
    for offset, magic, name in _KINDS:
        if head.startswith(magic, offset):
            return name
    return ""
