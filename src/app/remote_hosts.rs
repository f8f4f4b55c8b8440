//! SSH transports to the remote partitions of a site, connected before a run writes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::error::{CommandError, Topic};
use super::host::own_executable;
use crate::config::campaign::LoadedCampaign;
use crate::config::site::{Site, TransportConfig};
use crate::exec::ssh::{Connection, SshParams, SshTransport};
use crate::exec::transport::LocalTransport;
use crate::scheduler::{CommandHost, SchedulerKind, Unreachable};

/// Transport of each remote partition by its name, with one connection a host.
pub struct RemoteHosts(BTreeMap<String, SshTransport>);

impl RemoteHosts {
    /// Connects to each host and installs this program there. With `resumed`, a host that is
    /// unreachable is no error: its transport connects later.
    ///
    /// # Errors
    ///
    /// Fails if a host cannot be used.
    pub fn connect(site: &Site, resumed: bool) -> Result<Self, CommandError> {
        let failed = |e: io::Error| {
            CommandError::new(format!("could not use ssh: {e}")).about(Topic::RemoteHost)
        };
        let executable = std::env::current_exe().map_err(failed)?;
        let mut connections: BTreeMap<&str, Arc<Connection>> = BTreeMap::new();
        let mut transports = BTreeMap::new();
        for (name, partition) in &site.partitions {
            let Some(TransportConfig::Ssh(place)) = &partition.transport else {
                continue;
            };
            let connection = match connections.get(&*place.host) {
                Some(connection) => connection.clone(),
                None => Arc::new(Connection::new(&place.host).map_err(failed)?),
            };
            connections.insert(&place.host, connection.clone());
            let params = SshParams {
                host: place.host.clone(),
                moldflow: place.moldflow.clone(),
                work_dir: place.work_dir.clone(),
            };
            let mut transport = SshTransport::new(connection, params, &executable);
            match transport.prepare() {
                Err(trouble) if !(resumed && trouble.may_pass()) => {
                    let message = format!("partition `{name}` of site `{}`: {trouble}", site.name);
                    return Err(
                        CommandError::with_hint(message, trouble.hint()).about(Topic::RemoteHost)
                    );
                }
                _ => transports.insert(name.clone(), transport),
            };
        }
        Ok(Self(transports))
    }

    /// Checks that the schedulers answer whose partitions the campaign uses.
    ///
    /// # Errors
    ///
    /// Fails if one does not answer.
    pub fn check_schedulers(&mut self, loaded: &LoadedCampaign) -> Result<(), CommandError> {
        let mut here = LocalTransport::new(&own_executable()?);
        let mut checked = BTreeSet::new();
        let used = loaded.campaign.methods.values();
        let used: BTreeSet<&String> = used.map(|method| &method.partition).collect();
        for (name, partition) in &loaded.site.partitions {
            if !used.contains(name) {
                continue;
            }
            let host = partition
                .transport
                .as_ref()
                .map(|TransportConfig::Ssh(place)| &place.host);
            let Some(scheduler) = partition.executor.scheduler() else {
                continue;
            };
            if checked.insert((host, scheduler.program(), scheduler.list_queues)) {
                let of = format!("partition `{name}` of site `{}`", loaded.site.name);
                match self.0.get_mut(name) {
                    Some(transport) => check_scheduler(scheduler, transport, &of)?,
                    None => check_scheduler(scheduler, &mut here, &of)?,
                }
            }
        }
        Ok(())
    }

    /// Takes the transport of a partition out of the set; none for a partition of this host.
    pub fn take(&mut self, partition: &str) -> Option<SshTransport> {
        self.0.remove(partition)
    }
}

/// Checks that a scheduler answers; `of` names what needs it.
///
/// # Errors
///
/// Fails if it does not answer.
pub fn check_scheduler(
    scheduler: SchedulerKind,
    host: &mut dyn CommandHost,
    of: &str,
) -> Result<(), CommandError> {
    scheduler.ask(host).map_err(|Unreachable(why)| {
        let command = scheduler.list_queues.join(" ");
        let message = format!(
            "{of}: the scheduler does not answer `{command}`: {}",
            why.trim()
        );
        CommandError::with_hint(
            message,
            "nothing was written: try again when it answers, or on a login node of the site",
        )
        .about(Topic::Site)
    })
}
