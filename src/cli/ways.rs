//! The ways to the partitions of a site that are on other hosts, opened before anything is written.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::failure::Failure;
use crate::exec::ssh::{Connection, SshTransport};
use crate::spec::site::{Site, Transport};

/// A transport for each such partition, by its name; one connection for each host.
pub(super) struct Ways(BTreeMap<String, SshTransport>);

impl Ways {
    /// Connects to each host and sees to it that this program is there. `resumed`: a link that is down is waited for.
    pub fn open(site: &Site, resumed: bool) -> Result<Self, Failure> {
        let failed = |e: io::Error| Failure::new(format!("could not use ssh: {e}"));
        let executable = std::env::current_exe().map_err(failed)?;
        let mut connections: BTreeMap<&str, Arc<Connection>> = BTreeMap::new();
        let mut ways = BTreeMap::new();
        for (name, partition) in &site.partitions {
            let Some(Transport::Ssh(place)) = &partition.transport else {
                continue;
            };
            let connection = match connections.get(&*place.host) {
                Some(connection) => connection.clone(),
                None => Arc::new(Connection::new(&place.host).map_err(failed)?),
            };
            connections.insert(&place.host, connection.clone());
            let mut way = SshTransport::new(connection, place.clone(), &executable);
            match way.prepare() {
                Err(trouble) if !(resumed && trouble.may_pass()) => {
                    let message = format!("partition `{name}` of site `{}`: {trouble}", site.name);
                    return Err(Failure::with_hint(message, trouble.hint()));
                }
                _ => ways.insert(name.clone(), way),
            };
        }
        Ok(Self(ways))
    }

    /// The way to a partition; none to one that is on this host.
    pub fn take(&mut self, partition: &str) -> Option<SshTransport> {
        self.0.remove(partition)
    }
}
