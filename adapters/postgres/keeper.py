"""Keeps one PostgreSQL server alive for as long as its owner lives: run as a script between the two.

    python -I -S keeper.py DATA_DIR POSTGRES UID GID [OPTION …]

Standard input is the owner: a line on it means "the server answers", its end means that the owner has stopped or died,
however it died, and so the server stops too. Standard output and error of the server end up in DATA_DIR/server.log,
which is rotated. A server that dies on its own after it answered once is started again, for as long as its owner lives:
a disk that is full may have room tomorrow. The keeper is the server's parent, so the pid it signals cannot have become
another process's. Only the standard library is imported: this process lives as long as the server does.
"""

# No pathlib: what it pulls in, this process would carry for as long as the server lives.
# ruff: noqa: PTH105, PTH108, PTH110, PTH112, PTH123

import contextlib
import fcntl
import os
import select
import signal
import sys
import time

CLUSTER, RUN, CONF = "cluster", "run", "conf"
LOG, SERVER_LOCK = "server.log", "server.lock"
PORT = 5432  # only part of the socket's name: nothing listens on TCP
SOCKET = f".s.PGSQL.{PORT}"
PID_FILE, SOCKET_PID_FILE = f"{CLUSTER}/postmaster.pid", f"{RUN}/{SOCKET}.lock"
LOG_BYTES, OLD_LOGS = 4_000_000, 3
STOP_FAST, STOP_HARD = 60.0, 15.0  # seconds
LOCK_WAIT = 30.0
HEALTHY_AFTER = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
PR_SET_PDEATHSIG = 1


def lock_server(data_dir: str, wait: float) -> int | None:
    """Take the lock that a server and all its children hold; its descriptor, or None if it stays held for `wait` s."""
    descriptor = os.open(f"{data_dir}/{SERVER_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)


def clean_environment() -> dict[str, str]:
    """What the keeper and PostgreSQL's programs see of the environment: no PG* variable, no secret, no odd locale."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **kept}


def server_path(directory: str) -> str:
    """How the server is to name a directory it is handed.

    On Linux by descriptor: the server may be a user who cannot reach the folder from above, the name needs no quoting
    and a socket in it stays within the 107 bytes the system allows.
    """
    if not os.path.isdir("/proc/self/fd"):
        return directory
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(descriptor, True)
    return f"/proc/self/fd/{descriptor}"


class _Log:
    """DATA_DIR/server.log with a bound on its size."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = self._opened()
        self._size = os.fstat(self._file).st_size

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _rotate(self) -> None:
        for age in range(OLD_LOGS, 0, -1):
            younger = f"{self._path}.{age - 1}" if age > 1 else self._path
            if os.path.exists(younger):
                os.replace(younger, f"{self._path}.{age}")
        # The new file first: should it fail, the old descriptor must stay a log.
        fresh = self._opened()
        os.close(self._file)
        self._file, self._size = fresh, 0

    def write(self, data: bytes) -> None:
        # A full disk must not end the one process that can still stop the server.
        with contextlib.suppress(OSError):
            if self._size > LOG_BYTES:
                self._rotate()
            os.write(self._file, data)
            self._size += len(data)

    def say(self, sentence: str) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        self.write(f"{now} [{os.getpid()}] keeper: {sentence}\n".encode())


def _spawn(argv: list[str], uid: int, gid: int, output: int, lock: int) -> int:
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.set_inheritable(lock, True)
        libc = None
        if sys.platform.startswith("linux"):
            # Loaded here, so that the keeper itself stays small, and now: the other user may not reach Python's files.
            import ctypes

            libc = ctypes.CDLL(None)
        if uid != os.geteuid():
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        if libc is not None:
            # After the change of user, which clears it. SIGINT is PostgreSQL's fast shutdown.
            libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
            if os.getppid() != keeper:
                os._exit(0)
        os.execve(argv[0], argv, clean_environment())  # noqa: S606
    except BaseException as error:
        os.write(2, f"keeper: cannot run {argv[0]}: {error}\n".encode())
    finally:
        os._exit(127)


class _Keeper:
    def __init__(self, data_dir: str, postgres: str, uid: int, gid: int, options: list[str]) -> None:
        self._data_dir = data_dir
        run = server_path(f"{data_dir}/{RUN}")
        conf = server_path(f"{data_dir}/{CONF}")
        self._argv = [postgres, "-D", server_path(f"{data_dir}/{CLUSTER}")]
        self._argv += ["-c", f"unix_socket_directories={run}"]
        self._argv += ["-c", f"hba_file={conf}/pg_hba.conf", "-c", f"ident_file={conf}/pg_ident.conf", *options]
        self._uid, self._gid = uid, gid
        self._log = _Log(f"{data_dir}/{LOG}")
        self._owner_lives = True
        self._answered = False

    def keep(self) -> int:
        """Run the server until the owner is gone; the exit status."""
        crashes = 0
        while True:
            began = time.monotonic()
            status = self._run_once()
            if status is None:
                return 1
            if not self._owner_lives or status == 0:
                return 0
            if not self._answered:
                return 1
            crashes = 1 if time.monotonic() - began > HEALTHY_AFTER else crashes + 1
            again = "" if crashes == 1 else f" {crashes} times in a row"
            self._log.say(f"the server died{again} (status {status}); starting it again")
            self._wait_for_owner(min(FIRST_PAUSE * 2 ** min(crashes - 1, 10), LONGEST_PAUSE))
            if not self._owner_lives:
                return 0

    def _run_once(self) -> int | None:
        lock = lock_server(self._data_dir, LOCK_WAIT)
        if lock is None:
            self._log.say(f"another server still runs in {self._data_dir}")
            return None
        reading, writing = os.pipe()
        pid = _spawn(self._argv, self._uid, self._gid, writing, lock)
        # From here only the server and its children hold the lock and the pipe: the pipe ends when the last has gone.
        os.close(lock)
        os.close(writing)
        deadline: float | None = None
        hard = False
        while True:
            watched = [reading, 0] if self._owner_lives else [reading]
            ready, _, _ = select.select(watched, [], [], 1.0)
            if reading in ready:
                data = os.read(reading, 65536)
                if not data:
                    break
                self._log.write(data)
            if 0 in ready:
                self._listen()
            now = time.monotonic()
            if not self._owner_lives and deadline is None:
                os.kill(pid, signal.SIGINT)
                deadline = now + STOP_FAST
            elif deadline is not None and now > deadline and not hard:
                hard = True
                self._log.say("the server did not stop in time; stopping it hard, it recovers at the next start")
                os.kill(pid, signal.SIGQUIT)
        os.close(reading)
        _, wait_status = os.waitpid(pid, 0)
        self._forget_pid_files(pid)
        return os.waitstatus_to_exitcode(wait_status)

    def _forget_pid_files(self, pid: int) -> None:
        """What a killed server leaves would stop the next one if another process got its pid."""
        for path in (f"{self._data_dir}/{PID_FILE}", f"{self._data_dir}/{SOCKET_PID_FILE}"):
            with contextlib.suppress(OSError):
                with open(path, "rb") as file:
                    first = file.readline().strip()
                if first == str(pid).encode():
                    os.unlink(path)

    def _listen(self) -> None:
        if os.read(0, 4096):
            self._answered = True
        else:
            self._owner_lives = False

    def _wait_for_owner(self, seconds: float) -> None:
        ready, _, _ = select.select([0], [], [], seconds)
        if ready:
            self._listen()


def main(arguments: list[str]) -> int:
    """The script; see the module's docstring."""
    data_dir, postgres, uid, gid, *options = arguments
    # A terminal's Ctrl-C or a service manager's signal reaches every process at once. The owner decides: it may still
    # have rows to write.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    os.chdir("/")
    return _Keeper(data_dir, postgres, int(uid), int(gid), options).keep()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
