//! Signals by which the user interrupts a run.

use tokio::sync::watch;

use super::error::CommandError;

/// Returns a counter of Ctrl-C, SIGTERM and SIGHUP; a SIGHUP that was ignored when this process
/// started stays ignored.
///
/// # Errors
///
/// Fails if the host refuses to install a signal handler.
pub fn interrupts() -> Result<watch::Receiver<u32>, CommandError> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |e: std::io::Error| CommandError::io("could not listen for signals", &e);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    // Under `nohup` the run is to outlive its terminal.
    let mut hangup = match is_ignored(libc::SIGHUP) {
        true => None,
        false => Some(signal(SignalKind::hangup()).map_err(failed)?),
    };
    let hung_up = async move || match &mut hangup {
        Some(hangup) => hangup.recv().await,
        None => std::future::pending().await,
    };
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        let mut hung_up = hung_up;
        for count in 1.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hung_up() => {}
            }
            let _ = sender.send(count);
        }
    });
    Ok(receiver)
}

/// Returns true if this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeros is a valid `sigaction`, and without a new one the call only writes the
    // present one.
    let (answer, present) = unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        let answer = libc::sigaction(signal, std::ptr::null(), &mut present);
        (answer, present)
    };
    answer == 0 && present.sa_sigaction == libc::SIG_IGN
}
