"""What the tests of lastly-checksum share: running it, also on a pseudo terminal, and the look at what it left behind."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

EMPTY_FILE_HASH = "99aa06d3014798d86001c324468d497f"    # XXH3, 128 bits, of no bytes at all
PROGRAM = ""            # set by checksum_test.py
NOBODY = 65534
LIMIT_SECONDS = 300     # a sanitizer's build is slow


class Finished:
    """What one run of the program did."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def ledger(self, text=None):
        numbers = re.findall(r"(attempts|accepted|rejected|succeeded|failed|cancelled|live|held|finalizers \w+) +(\d+)",
                             (self.out if text is None else text).partition("\nledger\n")[2])
        return {name: int(value) for name, value in numbers}

    def hashed(self, text=None):
        """How many files were hashed; the ledger counts directories, too."""
        return int(re.search(r"^(\d+) files?, ", self.out if text is None else text, re.MULTILINE).group(1))


class ChecksumTest(unittest.TestCase):
    def setUp(self):
        self.room = tempfile.mkdtemp(prefix="checksum-test-")
        os.chmod(self.room, 0o755)
        self.tree = os.path.join(self.room, "tree")
        self.temp = os.path.join(self.room, "temp")
        os.mkdir(self.tree)
        os.mkdir(self.temp)
        os.chmod(self.temp, 0o1777)
        self.list = os.path.join(self.room, "list")
        self.addCleanup(subprocess.run, ["rm", "-rf", self.room], check=False)     # shutil has a limit of depth

    def command(self, *options):
        return [PROGRAM, *options, "--temp", self.temp, self.tree]

    def run_command(self, command, **more):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=LIMIT_SECONDS, check=False, **more)
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def checksum(self, *options, **more):
        return self.run_command(self.command(*options), **more)

    def assert_clean(self, done, text=None):
        """The ledger balances, the program found nothing left behind, and neither do we."""
        text = done.out if text is None else text
        ledger = done.ledger(text)
        self.assertEqual(ledger["attempts"], ledger["accepted"] + ledger["rejected"], text)
        self.assertEqual(ledger["accepted"], ledger["succeeded"] + ledger["failed"] + ledger["cancelled"], text)
        self.assertEqual(ledger["finalizers attached"], ledger["finalizers run"], text)
        self.assertEqual((ledger["live"], ledger["held"]), (0, 0), text)
        self.assertRegex(text, r"\bbalanced\n")
        self.assertNotIn("NOT BALANCED", text)
        self.assertIn("descriptors left open: 0   part files left: 0\n", text)
        self.assertEqual(os.listdir(self.temp), [])
        return ledger

    def write(self, path, content=b"", under=None):
        full = os.path.join(under or self.tree, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)
        return full

    def many_files(self, count, size=0):
        """Sparse files: big ones cost the disk nothing."""
        for number in range(count):
            with open(os.path.join(self.tree, f"file-{number:05}"), "wb") as file:
                file.truncate(size)

    def read_list(self):
        with open(self.list, "rb") as file:
            return file.read().decode().splitlines()

    def as_nobody(self, command):
        """The command as a user who may not read everything, or a skipped test."""
        if os.geteuid() != 0:
            return command
        if not shutil.which("setpriv"):
            self.skipTest("needs setpriv, or not to be root")
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        if subprocess.run([*command[:4], PROGRAM, "--version"], capture_output=True, check=False).returncode != 0:
            self.skipTest("the program cannot be started by another user")
        return command


class Terminal:
    """A program on a pseudo terminal; both its outputs arrive there."""

    def __init__(self, command, columns=80):
        self.begin = time.monotonic()
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execv(command[0], command)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read_some(self):
        if not select.select([self.fd], [], [], LIMIT_SECONDS)[0]:
            os.kill(self.pid, signal.SIGKILL)
        try:
            some = os.read(self.fd, 65536)
        except OSError:     # the last process on the terminal is gone
            some = b""
        self.output += some
        return some

    def read_until(self, pattern):
        """True once the pattern was written, False if the program ended first."""
        while not re.search(pattern, self.output):
            if not self.read_some():
                return False
        return True

    def pause(self):
        os.kill(self.pid, signal.SIGSTOP)
        return True

    def resume(self):
        os.kill(self.pid, signal.SIGCONT)

    def finish(self):
        while self.read_some():
            pass
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        self.seconds = time.monotonic() - self.begin
        return Finished(os.waitstatus_to_exitcode(status), self.output.decode().replace("\r\n", "\n"), "")


def is_sanitized():
    with open(PROGRAM, "rb") as file:
        return re.search(rb"__[ahlmt]w?san_init|__ubsan_handle", file.read()) is not None


def open_files(pid):
    targets = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                targets.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
    except FileNotFoundError:
        pass
    return targets


def has_no_pending_signal(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return re.search(r"^ShdPnd:\s*0+$", file.read(), re.MULTILINE) is not None
    except FileNotFoundError:
        return True


def wait_for(condition):
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        time.sleep(0.001)
