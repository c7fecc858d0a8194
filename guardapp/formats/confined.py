"""Work on hostile input in a thread that the kernel lets do little: no network, no writing, no other programs.

An unpickler that allows names from a list is one line of defence; a fault in it, or in the library below it, should
still not reach the disk or the network. On Linux (x86-64, AArch64) a seccomp filter refuses the calls with EPERM. It
holds for the thread and whatever threads it starts, for as long as they live, so the thread is used once. It shares the
memory and the open files of its process. Elsewhere the work is done in the same way, without the filter.

Sources: seccomp(2); Linux uapi/linux/{seccomp,filter,audit}.h and the tables of call numbers of the two machines.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
import threading
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")


class _Machine(NamedTuple):
    """audit: AUDIT_ARCH_…; openat: number of the call whose flags are looked at; refused: numbers of other calls."""

    audit: int
    openat: int
    open: int
    refused: tuple[int, ...]


# since 5.1 new calls have one number on every machine: io_uring_setup, open_tree, move_mount, fsopen, fsmount, openat2,
# fchmodat2
_NEW: Final = (425, 428, 429, 430, 432, 437, 452)

_MACHINES: Final = {
    "x86_64": _Machine(
        0xC000003E,
        257,
        2,
        (
            *(
                41,
                42,
                43,
                44,
                46,
                49,
                50,
                288,
                307,
            ),  # socket, connect, accept, sendto, sendmsg, bind, listen, accept4, …
            *(59, 322, 62, 200, 234, 101, 311),  # execve, execveat, kill, tkill, tgkill, ptrace, process_vm_writev
            *(76, 77, 85, 285),  # truncate, ftruncate, creat, fallocate
            *(82, 264, 316, 83, 258, 84, 87, 263),  # rename…, mkdir…, rmdir, unlink…
            *(86, 265, 88, 266, 133, 259),  # link…, symlink…, mknod…
            *(90, 91, 268, 92, 93, 94, 260, 132, 235, 261, 280),  # chmod…, chown…, utime…
            *(165, 166, 161, 155, 188, 189, 190, 169, 175, 313),  # mount …, chroot, setxattr…, reboot, init_module…
            *_NEW,
        ),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        56,
        -1,
        (
            *(198, 203, 202, 206, 211, 200, 201, 242, 269),
            *(221, 281, 129, 130, 131, 117, 271),
            *(45, 46, 47),
            *(38, 276, 34, 35),
            *(37, 36, 33),
            *(52, 53, 54, 55, 88),
            *(40, 39, 51, 41, 5, 6, 7, 142, 105, 273),
            *_NEW,
        ),
    ),
}

# struct seccomp_data: number, machine, instruction pointer, six arguments of 8 bytes
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_X32 = 0x40000000
# Linux: O_WRONLY 1, O_RDWR 2, O_CREAT 0o100, O_TRUNC 0o1000, O_TMPFILE's own bit 0o20000000
_WRITES = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def can_confine() -> bool:
    """Whether this system has a filter for the thread."""
    return sys.platform == "linux" and platform.machine() in _MACHINES and sys.maxsize > 1 << 32


def confined(work: Callable[[], T], seconds: float) -> T:
    """The result of `work()`, which is done in a confined thread, or what it raised.

    seconds: after which TimeoutError is raised; the thread goes on until the process ends, which should be soon
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _confine_this_thread()
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="confined", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


def _confine_this_thread() -> None:
    if not can_confine():
        return
    program = _program(_MACHINES[platform.machine()])
    code = ctypes.create_string_buffer(program, len(program))
    libc = ctypes.CDLL(None, use_errno=True)
    filter = _Program(len(program) // 8, ctypes.addressof(code))
    for call in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(filter), ctypes.c_ulong(0), ctypes.c_ulong(0)),
    ):
        if libc.prctl(*call):
            number = ctypes.get_errno()
            if number not in (errno.EINVAL, errno.ENOSYS):  # a kernel without filters
                raise OSError(number, os.strerror(number), "seccomp")


def _program(machine: _Machine) -> bytes:
    """The filter: refuse other machines' calls, those of the list, and opening for more than reading."""
    opens = [(machine.openat, 2)] + ([(machine.open, 1)] if machine.open >= 0 else [])
    # a call of another machine would have other numbers
    lines = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, machine.audit), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, _NUMBER)]
    lines += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for number in machine.refused:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    for number, argument in opens:
        lines += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
            (_ANY_BIT, 0, 1, _WRITES),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
