//! The countries of IP addresses, from a database in the format MMDB.

use std::fmt;
use std::net::IpAddr;

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions};

/// Where providers have the code of a country, in this order. Where `country_code` is its code,
/// `country` is its name.
const PATHS: [&[PathElement<'static>]; 3] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
    &[PathElement::Key("country")],
];

/// Four ways lead to the IPv4 addresses in the usual databases. With more networks than this for
/// each of its nodes, a tree has cycles.
const MOST_NETWORKS: usize = 8;

/// A database of countries by address.
pub(crate) struct Countries {
    reader: Reader<Vec<u8>>,
}

impl Countries {
    /// Checks a database: every network has to lead to a record that can be read, so that a
    /// damaged file is an error now, and no missing country later.
    ///
    /// The error completes a sentence that begins with the name of the file.
    pub(crate) fn new(data: &[u8]) -> Result<Self, String> {
        if data.is_empty() {
            return Err("expected a MaxMind DB file, found an empty file".into());
        }
        if data.starts_with(b"\x1f\x8b") {
            return Err(
                "expected a MaxMind DB file, found gzip; decompress it first, with gunzip or tar"
                    .into(),
            );
        }
        if memchr::memmem::rfind(data, b"\xab\xcd\xefMaxMind.com").is_none() {
            return Err("expected a MaxMind DB file, found another kind of file, or one that is \
                        cut off"
                .into());
        }
        let reader = Reader::from_source(data.to_vec()).map_err(|error| damaged(&error))?;
        let countries = Self { reader };
        if countries.check(data.len())? {
            return Ok(countries);
        }
        let kind = &countries.reader.metadata().database_type;
        Err(format!(
            "expected a database of countries, such as GeoLite2-Country, found one of the type \
             '{}', which has none",
            kind.escape_debug()
        ))
    }

    /// Reads every record once, and returns whether any of them has a country.
    fn check(&self, length: usize) -> Result<bool, String> {
        // With every way to the IPv4 addresses, so that each step of the walk is a network and the
        // walk is as long as the number of networks.
        let all =
            WithinOptions::default().include_aliased_networks().include_networks_without_data();
        let most = (self.reader.metadata().node_count as usize + 1).saturating_mul(MOST_NETWORKS);
        // A bit for each byte at which a record can begin.
        let mut seen = vec![0_u64; length / 64 + 1];
        let mut has_country = false;
        let networks = self.reader.networks(all).map_err(|error| damaged(&error))?;
        for (count, network) in networks.enumerate() {
            let network = network.map_err(|error| damaged(&error))?;
            if count > most {
                return Err(damaged(&"its search tree has no end"));
            }
            let Some(offset) = network.offset() else { continue };
            let (word, bit) = (&mut seen[offset / 64], 1 << (offset % 64));
            if *word & bit == 0 {
                *word |= bit;
                has_country |= code_of(&network).map_err(|error| damaged(&error))?.is_some();
            }
        }
        Ok(has_country)
    }

    /// The code of the country of an address, as the database has it.
    pub(crate) fn code(&self, address: IpAddr) -> Option<&str> {
        // A database of IPv4 addresses has no others.
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        code_of(&found).ok().flatten()
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countries").field("metadata", self.reader.metadata()).finish()
    }
}

/// The code of the country in a record, if it has one.
fn code_of<'a>(record: &LookupResult<'a, Vec<u8>>) -> Result<Option<&'a str>, MaxMindDbError> {
    for path in PATHS {
        match record.decode_path::<&str>(path) {
            Ok(Some(code)) if !code.is_empty() => return Ok(Some(code)),
            // Text where others have a map, or the reverse.
            Ok(_) | Err(MaxMindDbError::Decoding { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn damaged(why: &dyn fmt::Display) -> String {
    format!("the MaxMind DB file is damaged ({why}); get it again")
}
