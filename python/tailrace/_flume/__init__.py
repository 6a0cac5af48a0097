"""
Flume's Avro RPC without I/O: frames, the server's session and the client's, bytes in, bytes out.

Nothing here opens a socket, reads a clock or decodes an event.
"""

from tailrace._flume.client import Answer, ClientSession
from tailrace._flume.frames import MAX_FRAME_BYTES, Frame, FrameDecoder, encode_frame
from tailrace._flume.handshake import Protocols
from tailrace._flume.session import Batch, ServerSession, Status

__all__ = [
    "MAX_FRAME_BYTES",
    "Answer",
    "Batch",
    "ClientSession",
    "Frame",
    "FrameDecoder",
    "Protocols",
    "ServerSession",
    "Status",
    "encode_frame",
]
