"""Run a program as another user: `as_user.py UID GID REACH MORTAL PROGRAM ARGS…`, a script of its own.

REACH 1 keeps the right to pass folders that the user may not enter, so that a checkout below a closed
home such as /root still serves. MORTAL 1 ends the program together with the process that started it.
"""

import ctypes
import os
import signal
import sys

# linux/prctl.h and linux/capability.h
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAPABILITY_VERSION_3 = 1, 2, 0x20080522


def become(uid: int, gid: int, reach: bool) -> None:
    """Give up root for good; with `reach`, keep only the two capabilities that open folders and files."""
    libc = ctypes.CDLL(None, use_errno=True)
    if reach:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if reach:
        bits = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        effective_permitted_inheritable = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
        libc.capset(header, effective_permitted_inheritable)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def main() -> None:
    """Become the user and turn into the program; exits 126 when the program cannot be run."""
    uid, gid, reach, mortal = (int(argument) for argument in sys.argv[1:5])
    if os.geteuid() == 0 and uid != 0:
        become(uid, gid, bool(reach))
    if mortal and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    try:
        os.execv(sys.argv[5], sys.argv[5:])
    except OSError as reason:
        sys.exit(f"{sys.argv[5]}: {reason.strerror}")


if __name__ == "__main__":
    main()
