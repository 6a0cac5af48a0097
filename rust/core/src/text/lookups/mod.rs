//! Looks values up in data that is handed in: the country of an address, the family of a user
//! agent, and whether it is a bot.

mod agents;
mod countries;

use std::sync::Arc;

pub use agents::DevicePattern;
pub(crate) use agents::{Bots, Families};
pub(crate) use countries::Countries;

/// Data in which values are looked up; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    pub(crate) countries: Option<Arc<Countries>>,
    pub(crate) families: Option<Arc<Families>>,
    pub(crate) bots: Option<Arc<Bots>>,
}

impl Lookups {
    /// Checks the bytes of a database of countries, and compiles patterns: those of families, each
    /// with the family that it finds, and those of devices and crawlers, which find bots.
    pub fn new(
        countries: Option<&[u8]>,
        families: Option<Vec<(String, String)>>,
        bots: Option<(Vec<DevicePattern>, Vec<String>)>,
    ) -> Result<Self, String> {
        let bots = bots.map(|(devices, crawlers)| Bots::new(devices, &crawlers));
        Ok(Self {
            countries: countries.map(Countries::new).transpose()?.map(Arc::new),
            families: families.map(Families::new).transpose()?.map(Arc::new),
            bots: bots.transpose()?.map(Arc::new),
        })
    }

    /// These data, and what only the others have.
    #[must_use]
    pub(crate) fn or(&self, others: &Self) -> Self {
        Self {
            countries: self.countries.as_ref().or(others.countries.as_ref()).cloned(),
            families: self.families.as_ref().or(others.families.as_ref()).cloned(),
            bots: self.bots.as_ref().or(others.bots.as_ref()).cloned(),
        }
    }
}
