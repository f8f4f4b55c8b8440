//! The terminal while `moldflow top` has it: raw mode and the alternate screen, restored however the
//! program ends.

use std::io::{self, Write};
use std::sync::Mutex;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use super::keys::{Key, decode};

/// Enters the alternate screen and hides the cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";
/// Resets styles, shows the cursor and leaves the alternate screen.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// Settings of the terminal before raw mode; None outside of it.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Terminal in raw mode, with the alternate screen; it is restored when this is dropped.
pub(super) struct RawTerminal(());

impl RawTerminal {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// Fails if standard input or output is no terminal.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        if let Ok(mut place) = BEFORE.lock() {
            *place = Some(before);
        }
        let restored = Self(());
        // The message of a panic belongs on the screen that stays.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
        }));
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
        let mut stdout = io::stdout().lock();
        stdout.write_all(ENTER)?;
        stdout.flush()?;
        Ok(restored)
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was, once.
fn restore() {
    let before = BEFORE.lock().ok().and_then(|mut place| place.take());
    if let Some(before) = before {
        let mut stdout = io::stdout().lock();
        // A terminal that is gone needs nothing.
        let _ = stdout.write_all(LEAVE).and_then(|()| stdout.flush());
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

/// Returns the keys that the user presses, read by a thread that ends with the process.
///
/// # Errors
///
/// Fails if the host starts no thread.
pub(super) fn keys() -> io::Result<mpsc::UnboundedReceiver<Key>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let read = move || {
        let mut bytes = [0; 64];
        loop {
            let pressed = match rustix::io::read(io::stdin(), &mut bytes) {
                Ok(0) | Err(_) => vec![Key::Interrupt],
                Ok(length) => decode(&bytes[..length]),
            };
            let is_over = pressed == [Key::Interrupt];
            let heard = pressed.into_iter().all(|key| sender.send(key).is_ok());
            if is_over || !heard {
                break;
            }
        }
    };
    std::thread::Builder::new().spawn(read)?;
    Ok(receiver)
}
