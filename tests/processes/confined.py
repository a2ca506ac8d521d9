"""Runs a command under the filter of system calls that a systemd unit asks for: ``confined.py UNIT COMMAND…``.

What systemd does before it starts a service (systemd.exec(5), SystemCallFilter=), by the same library.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

KILL, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000


def members(name: str) -> set[str]:
    """The calls of a group, such as @system-service; of a single call, itself."""
    if not name.startswith("@"):
        return {name}
    told = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    words = [line.split("#")[0].strip() for line in told.stdout.splitlines()]
    return {call for word in words if word and word != name for call in members(word)}


def allowed(unit: str) -> set[str]:
    """The calls that the unit leaves."""
    always = members("@default")
    left = set(always)
    for refused, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit, re.MULTILINE):
        for name in names.split():
            left = left - members(name) | always if refused else left | members(name)
    return left


def confine(unit: str) -> None:
    """Holds this process to it, and whatever it becomes."""
    answer = re.search(r"^SystemCallErrorNumber=(\w+)$", unit, re.MULTILINE)
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint)
    library.seccomp_load.argtypes = (ctypes.c_void_p,)
    kept = library.seccomp_init(KILL if answer is None else ERRNO | getattr(errno, answer[1]))
    for call in allowed(unit):
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0 and library.seccomp_rule_add(kept, ALLOW, number, 0) != 0:
            raise OSError(f"{call} cannot be allowed")
    if library.seccomp_load(kept) != 0:
        raise OSError("this kernel takes no filter")


if __name__ == "__main__":
    confine(Path(sys.argv[1]).read_text())
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
