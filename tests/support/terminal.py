"""Runs a program in a pseudo terminal, as a user would, and prints what an emulator shows as JSON.

    terminal.py COLUMNSxROWS STEPS PROGRAM [ARGUMENT...]

STEPS is a JSON list of steps:
    {"wait": TEXT}            until the screen shows it; fails after a hundred seconds
    {"send": TEXT}            as if it was typed
    {"resize": [COLUMNS, ROWS]}
    {"signal": NUMBER}        to the program
    {"show": NAME}            keeps the screen under this name
The emulator is pyte 0.8.2.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

PATIENCE = 100


class Terminal:
    """A program in a pseudo terminal of which an emulator draws the screen."""

    def __init__(self, columns, rows, argv, environment=None):
        self.master, self.slave = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        slave = self.slave
        self.program = subprocess.Popen(argv, preexec_fn=lambda: os.login_tty(os.dup(slave)), env=environment)

    def resize(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds):
        """Feeds the emulator with what the program writes; returns false if that was nothing."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            chunk = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += chunk
        self.stream.feed(chunk)
        return bool(chunk)

    def send(self, text):
        os.write(self.master, text.encode())

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def wait(self, text):
        end = time.monotonic() + PATIENCE
        while text not in "\n".join(self.lines()):
            self.read(0.1)
            if time.monotonic() > end or (self.program.poll() is not None and not self.read(0.2)):
                if text in "\n".join(self.lines()):
                    return
                sys.exit(f"never shown: {text}\n" + "\n".join(self.lines()))

    def finish(self):
        end = time.monotonic() + PATIENCE
        while self.program.poll() is None:
            self.read(0.05)
            if time.monotonic() > end:
                self.program.kill()
                sys.exit("the program does not end:\n" + "\n".join(self.lines()))
        while self.read(0.1):
            pass

    def colours(self):
        """Returns the colours of the cells of the screen."""
        rows = self.screen.buffer.values()
        cells = [cell for row in rows for cell in row.values()]
        return sorted({colour for cell in cells for colour in (cell.fg, cell.bg)} - {"default"})


def main():
    size, steps, *argv = sys.argv[1:]
    columns, rows = map(int, size.split("x"))
    terminal = Terminal(columns, rows, argv)
    shown, colours = {}, set()
    for step in json.loads(steps):
        ((action, value),) = step.items()
        if action == "wait":
            terminal.wait(value)
        elif action == "send":
            terminal.send(value)
        elif action == "resize":
            terminal.resize(*value)
            terminal.program.send_signal(signal.SIGWINCH)
        elif action == "signal":
            terminal.program.send_signal(value)
        elif action == "show":
            # What is drawn has come when nothing more comes for a while.
            while terminal.read(0.3):
                pass
            shown[value] = terminal.lines()
            colours.update(terminal.colours())
    terminal.finish()
    answer = {
        "shown": shown,
        "colours": sorted(colours),
        "status": terminal.program.returncode,
        "is_restored": termios.tcgetattr(terminal.slave) == terminal.before,
        "hides_cursor": terminal.screen.cursor.hidden,
        "raw": terminal.raw.decode(errors="replace"),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
