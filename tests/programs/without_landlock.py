"""Runs a program on a kernel that seems to have no Landlock: its three calls fail with ENOSYS.

usage: without_landlock.py PROGRAM ARGS...
"""
import ctypes, os, struct, sys

LOAD, JUMP_IF_EQUAL, ANSWER = 0x20, 0x15, 0x06
ALLOW, ENOSYS = 0x7fff0000, 0x00050000 | 38
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
# landlock_create_ruleset, landlock_add_rule, landlock_restrict_self: the same on every architecture.
program = [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 3, 0, 444), (JUMP_IF_EQUAL, 2, 0, 445), (JUMP_IF_EQUAL, 1, 0, 446),
           (ANSWER, 0, 0, ALLOW), (ANSWER, 0, 0, ENOSYS)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
filter = Program(len(program), ctypes.addressof(code))
if libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(filter)) != 0:
    raise OSError(ctypes.get_errno(), "prctl")
os.execv(sys.argv[1], sys.argv[1:])
