//! The ways to the partitions of a site that are on other hosts, opened before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::failure::Failure;
use crate::config::campaign::Loaded;
use crate::config::site::{Site, Transport};
use crate::exec::ssh::{Connection, SshTransport};
use crate::exec::transport::Here;
use crate::scheduler::{CommandHost, SchedulerKind, Unreachable};

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

    /// Sees to it that the batch systems answer whose partitions the campaign uses.
    pub fn ask_schedulers(&mut self, loaded: &Loaded) -> Result<(), Failure> {
        let mut here = Here::new(&super::own_executable()?);
        let mut asked = BTreeSet::new();
        for method in loaded.campaign.methods.values() {
            let name = &method.partition;
            let partition = &loaded.site.partitions[name];
            let host = partition
                .transport
                .as_ref()
                .map(|Transport::Ssh(place)| &place.host);
            let Some(scheduler) = partition.executor.scheduler() else {
                continue;
            };
            if asked.insert((host, scheduler.program(), scheduler.list_queues)) {
                let of = format!("partition `{name}` of site `{}`", loaded.site.name);
                match self.0.get_mut(name) {
                    Some(way) => ask(scheduler, way, &of)?,
                    None => ask(scheduler, &mut here, &of)?,
                }
            }
        }
        Ok(())
    }

    /// The way to a partition; none to one that is on this host.
    pub fn take(&mut self, partition: &str) -> Option<SshTransport> {
        self.0.remove(partition)
    }
}

/// Sees to it that a batch system answers; `of`: what needs it.
pub(super) fn ask(
    scheduler: SchedulerKind,
    host: &mut dyn CommandHost,
    of: &str,
) -> Result<(), Failure> {
    scheduler.ask(host).map_err(|Unreachable(why)| {
        let command = scheduler.list_queues.join(" ");
        let message = format!(
            "{of}: its batch system does not answer `{command}`: {}",
            why.trim()
        );
        Failure::with_hint(
            message,
            "nothing was written: try again when it answers, or on a login node of the site",
        )
    })
}
