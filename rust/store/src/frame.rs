//! Frames: what every file consists of.

use crate::bytes::Reader;
use crate::error::{ErrorKind, StoreError};
use crate::name::{Name, Series};
use crate::storage::{StoredFile, again, read_full};

/// The version of the format.
///
/// What the first [`HEADER`] bytes of a frame mean, and their CRC, is the same in all versions.
pub(crate) const VERSION: u8 = 1;

/// How many bytes precede the payload.
pub(crate) const HEADER: usize = 72;
const HEADER_CRC: usize = 64;
const FRAME_CRC: usize = 68;

/// The first bytes of a frame.
pub(crate) const MAGIC: [u8; 4] = [0xf5, b'T', b'R', b'J'];

const COMPRESSED: u8 = 1;
/// The most that LZ4 takes at once.
const COMPRESSIBLE: usize = 1 << 30;
/// How many bytes a byte of LZ4 can become.
const RATIO: u64 = 255;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Head = 1,
    Round = 2,
    Closed = 3,
    Open = 4,
    Totals = 5,
    State = 6,
}

impl Kind {
    fn parse(byte: u8) -> Option<Kind> {
        [Kind::Head, Kind::Round, Kind::Closed, Kind::Open, Kind::Totals, Kind::State]
            .into_iter()
            .find(|&kind| kind as u8 == byte)
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    compressed: bool,
    /// Of the payload in the file.
    pub(crate) stored: u32,
    /// Of the payload before it was compressed.
    pub(crate) raw: u32,
    /// The directory.
    pub(crate) id: u64,
    pub(crate) file: Name,
    /// The number of a round; in other frames that of the last round before.
    pub(crate) sequence: u64,
    /// The file was synced up to this byte when the frame was written.
    pub(crate) synced: u64,
    /// Where in the file the frame begins.
    pub(crate) byte: u64,
    /// The number of a pane.
    pub(crate) number: i64,
    crc: u32,
}

/// Why there is no frame at a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The file ends within it.
    Short,
    /// Its bytes are not those that were written.
    Bytes,
    /// It belongs to another directory or file.
    Foreign,
    /// It was written at another byte of this file.
    Elsewhere,
    /// It does not follow what is before it.
    Sequence,
}

impl Fault {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Fault::Short => "expected a whole frame, found the end of the file",
            Fault::Bytes => "expected a frame, found bytes that differ from what was written",
            Fault::Foreign => "expected a frame of this file, found one of another file",
            Fault::Elsewhere => "expected a new frame, found one from another place in this file",
            Fault::Sequence => "expected the next round, found another one",
        }
    }
}

impl Header {
    fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let series = match self.file.series {
            Series::Log => b'l',
            Series::State => b's',
        };
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&[VERSION, self.kind as u8, u8::from(self.compressed), series]);
        bytes[8..12].copy_from_slice(&self.stored.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.raw.to_le_bytes());
        for (place, value) in [self.id, self.file.number, self.sequence, self.synced, self.byte]
            .into_iter()
            .chain([self.number.cast_unsigned()])
            .enumerate()
        {
            bytes[16 + 8 * place..24 + 8 * place].copy_from_slice(&value.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes[..HEADER_CRC]);
        bytes[HEADER_CRC..FRAME_CRC].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header: nothing of bytes that are none, an error for that of a newer version.
    fn parse(bytes: &[u8; HEADER]) -> Result<Option<Header>, u8> {
        let found = u32::from_le_bytes([bytes[64], bytes[65], bytes[66], bytes[67]]);
        if bytes[..4] != MAGIC || crc32fast::hash(&bytes[..HEADER_CRC]) != found {
            return Ok(None);
        }
        if bytes[4] > VERSION {
            return Err(bytes[4]);
        }
        Ok(Header::fields(&bytes[4..]))
    }

    fn fields(bytes: &[u8]) -> Option<Header> {
        let mut reader = Reader(bytes);
        if reader.u8()? != VERSION {
            return None;
        }
        let kind = Kind::parse(reader.u8()?)?;
        let compressed = match reader.u8()? {
            0 => false,
            COMPRESSED => true,
            _ => return None,
        };
        let series = match reader.u8()? {
            b'l' => Series::Log,
            b's' => Series::State,
            _ => return None,
        };
        let (stored, raw) = (reader.u32()?, reader.u32()?);
        let is_plausible = if compressed {
            u64::from(raw) <= RATIO * u64::from(stored) && stored < raw
        } else {
            raw == stored
        };
        let (id, number) = (reader.u64()?, reader.u64()?);
        let header = Header {
            kind,
            compressed,
            stored,
            raw,
            id,
            file: Name { series, number },
            sequence: reader.u64()?,
            synced: reader.u64()?,
            byte: reader.u64()?,
            number: reader.i64()?,
            crc: reader.u32().and_then(|_| reader.u32())?,
        };
        // Sums with them are in range, whatever a file says.
        let is_in_range =
            [header.sequence, header.synced, header.byte].iter().all(|&n| n < 1 << 63);
        (is_plausible && is_in_range).then_some(header)
    }

    /// The byte after the frame.
    pub(crate) fn end(&self) -> u64 {
        self.byte + self.size()
    }

    /// How many bytes the frame takes.
    pub(crate) fn size(&self) -> u64 {
        HEADER as u64 + u64::from(self.stored)
    }
}

/// What a frame is written with, besides its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) kind: Kind,
    pub(crate) id: u64,
    pub(crate) file: Name,
    pub(crate) sequence: u64,
    pub(crate) synced: u64,
    pub(crate) byte: u64,
    pub(crate) number: i64,
}

/// Puts a frame into a buffer; `None` if the payload is too long.
pub(crate) fn encode(label: Label, payload: &[u8], frame: &mut Vec<u8>) -> Option<()> {
    let raw = u32::try_from(payload.len()).ok()?;
    frame.clear();
    let mut compressed = None;
    // Senders wait for a round, and it is removed soon.
    if label.kind != Kind::Round && payload.len() <= COMPRESSIBLE {
        frame.resize(HEADER + lz4_flex::block::get_maximum_output_size(payload.len()), 0);
        compressed = lz4_flex::block::compress_into(payload, &mut frame[HEADER..])
            .ok()
            .filter(|&len| len < payload.len());
    }
    frame.truncate(HEADER + compressed.unwrap_or(0));
    if compressed.is_none() {
        frame.resize(HEADER, 0);
        frame.extend_from_slice(payload);
    }
    let header = Header {
        kind: label.kind,
        compressed: compressed.is_some(),
        stored: u32::try_from(frame.len() - HEADER).ok()?,
        raw,
        id: label.id,
        file: label.file,
        sequence: label.sequence,
        synced: label.synced,
        byte: label.byte,
        number: label.number,
        crc: 0,
    };
    frame[..HEADER].copy_from_slice(&header.bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame[..FRAME_CRC]);
    crc.update(&frame[HEADER..]);
    frame[FRAME_CRC..HEADER].copy_from_slice(&crc.finalize().to_le_bytes());
    Some(())
}

/// A file that is read, with what messages call it.
pub(crate) struct Source<'a, F> {
    pub(crate) file: &'a F,
    pub(crate) name: Name,
    pub(crate) place: &'a str,
    pub(crate) len: u64,
}

/// How much is read at once where a frame is only checked.
const BLOCK: usize = 256 << 10;

impl<'a, F: StoredFile> Source<'a, F> {
    pub(crate) fn new(file: &'a F, name: Name, place: &'a str) -> Result<Self, StoreError> {
        let len =
            again(|| file.len()).map_err(|error| StoreError::io(place, "cannot read", &error))?;
        Ok(Source { file, name, place, len })
    }

    /// Reads up to the length that the file had, whatever a process has appended since.
    fn read(&self, buffer: &mut [u8], at: u64) -> Result<usize, StoreError> {
        let room = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let size = buffer.len().min(room);
        read_full(self.file, &mut buffer[..size], at)
            .map_err(|error| StoreError::io(self.place, "cannot read", &error))
    }

    fn read_header(&self, at: u64) -> Result<Result<([u8; HEADER], Header), Fault>, StoreError> {
        let mut bytes = [0; HEADER];
        if self.read(&mut bytes, at)? < HEADER {
            return Ok(Err(Fault::Short));
        }
        match Header::parse(&bytes) {
            Ok(Some(header)) => Ok(Ok((bytes, header))),
            Ok(None) => Ok(Err(Fault::Bytes)),
            Err(version) => Err(self.newer(version)),
        }
    }

    fn newer(&self, version: u8) -> StoreError {
        StoreError::new(
            ErrorKind::Version,
            format!(
                "{}: expected format version {VERSION}, found {version}, written by a newer \
                 tailrace; update tailrace, or start with an empty directory",
                self.place
            ),
        )
    }

    /// The header of the frame at a byte; its payload is not checked.
    pub(crate) fn header(
        &self,
        at: u64,
        id: Option<u64>,
    ) -> Result<Result<Header, Fault>, StoreError> {
        Ok(self.read_header(at)?.and_then(|(_, header)| self.identify(header, at, id)))
    }

    fn identify(&self, header: Header, at: u64, id: Option<u64>) -> Result<Header, Fault> {
        if header.file != self.name || id.is_some_and(|id| id != header.id) {
            return Err(Fault::Foreign);
        }
        if header.byte != at {
            return Err(Fault::Elsewhere);
        }
        if header.end() > self.len {
            return Err(Fault::Short);
        }
        Ok(header)
    }

    /// Checks the whole frame at a byte.
    pub(crate) fn check(
        &self,
        at: u64,
        id: Option<u64>,
    ) -> Result<Result<Header, Fault>, StoreError> {
        let (bytes, header) = match self.read_header(at)? {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Err(fault) = self.identify(header, at, id) {
            return Ok(Err(fault));
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[..FRAME_CRC]);
        let mut left = u64::from(header.stored);
        let mut block = vec![0; BLOCK.min(header.stored as usize)];
        while left > 0 {
            let size = block.len().min(usize::try_from(left).unwrap_or(BLOCK));
            let read = self.read(&mut block[..size], header.end() - left)?;
            if read < size {
                return Ok(Err(Fault::Short));
            }
            crc.update(&block[..size]);
            left -= size as u64;
        }
        Ok(if crc.finalize() == header.crc { Ok(header) } else { Err(Fault::Bytes) })
    }

    /// Checks the frame at a byte and returns its payload.
    pub(crate) fn payload(
        &self,
        at: u64,
        id: Option<u64>,
    ) -> Result<Result<(Header, Vec<u8>), Fault>, StoreError> {
        let (bytes, header) = match self.read_header(at)? {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Err(fault) = self.identify(header, at, id) {
            return Ok(Err(fault));
        }
        let mut stored = vec![0; header.stored as usize];
        if self.read(&mut stored, at + HEADER as u64)? < stored.len() {
            return Ok(Err(Fault::Short));
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[..FRAME_CRC]);
        crc.update(&stored);
        if crc.finalize() != header.crc {
            return Ok(Err(Fault::Bytes));
        }
        if !header.compressed {
            return Ok(Ok((header, stored)));
        }
        let mut raw = vec![0; header.raw as usize];
        Ok(match lz4_flex::block::decompress_into(&stored, &mut raw) {
            Ok(len) if len == raw.len() => Ok((header, raw)),
            _ => Err(Fault::Bytes),
        })
    }

    /// Whether there are only zeros from a byte on.
    pub(crate) fn is_zero(&self, from: u64) -> Result<bool, StoreError> {
        let mut block = vec![0; BLOCK];
        let mut at = from;
        while at < self.len {
            let read = self.read(&mut block, at)?;
            if read == 0 || block[..read].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            at += read as u64;
        }
        Ok(true)
    }

    /// Whether what follows a bad frame proves that the frame was once synced.
    ///
    /// Only headers are read, so garbage costs linear time.
    pub(crate) fn proves_synced(
        &self,
        from: u64,
        id: Option<u64>,
        last: u64,
    ) -> Result<bool, StoreError> {
        let mut block = vec![0; BLOCK];
        let mut at = from;
        while at + HEADER as u64 <= self.len {
            let read = self.read(&mut block, at)?;
            if read < HEADER {
                break;
            }
            for start in 0..=read - HEADER {
                if block[start..start + 4] != MAGIC {
                    continue;
                }
                let mut bytes = [0; HEADER];
                bytes.copy_from_slice(&block[start..start + HEADER]);
                let Ok(Some(header)) = Header::parse(&bytes) else { continue };
                if header.file != self.name || id.is_some_and(|id| id != header.id) {
                    continue;
                }
                let is_here = header.byte == at + start as u64;
                if header.synced > from || !is_here && header.sequence > last {
                    return Ok(true);
                }
            }
            at += (read - HEADER + 1) as u64;
        }
        Ok(false)
    }
}
