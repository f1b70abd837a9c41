# Escape: out of the box, to the network, other processes, files or the kernel. What got through is named by an
# AssertionError; an attack that gets nowhere answers rightly, and noise alone costs nothing.
import torch
import torch.nn.functional as F

# %% dh: sockets of every family and type -> scores
import socket
def dh(W2, dlogits):
    got = []
    for family in range(1, 46):
        for kind in (1, 2, 3, 5):
            for protocol in (0, 1, 16):
                try:
                    socket.socket(family, kind, protocol).close()
                    got.append((family, kind, protocol))
                except OSError:
                    pass
    assert not got, got
    return dlogits @ W2.T

# %% dh: a server of the judge's host, by TCP -> scores
import socket
def dh(W2, dlogits):
    for host in ("127.0.0.1", "::1", "localhost"):
        try:
            socket.create_connection((host, int("@PORT@")), timeout=0.2).sendall(b"escaped")
        except OSError:
            continue
        raise AssertionError("reached the judge's host")
    return dlogits @ W2.T

# %% dh: a server of the judge's host, by UNIX sockets with and without a file -> scores
import socket
def dh(W2, dlogits):
    for name in ("@UNIX@", "\0@ABSTRACT@"):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(socket.AF_UNIX, kind) as client:
                    client.connect(name)
                    client.sendall(b"escaped")
            except OSError:
                continue
            raise AssertionError(f"reached {name}")
    return dlogits @ W2.T

# %% dh: a letter sent over the one socket there is, to somewhere else -> scores
import ctypes, socket, struct
def dh(W2, dlogits):
    libc = ctypes.CDLL(None, use_errno=True)
    inet = struct.pack("=HHI8x", 2, socket.htons(int("@PORT@")), 0x0100007F)
    for descriptor in range(3, 64):
        assert libc.sendto(descriptor, b"escaped", 7, 0, inet, 16) == -1
        assert libc.connect(descriptor, inet, 16) == -1
        assert libc.bind(descriptor, inet, 16) == -1
        assert libc.sendmsg(descriptor, b"\0" * 56, 0) == -1
    return dlogits @ W2.T

# %% dh: names looked up -> scores
import socket
def dh(W2, dlogits):
    for lookup in (socket.getaddrinfo, lambda name, port: socket.gethostbyname(name)):
        try:
            found = lookup("example.com", 80)
        except OSError:
            continue
        raise AssertionError(f"found {found}")
    return dlogits @ W2.T

# %% dh: signals to the judge, to its group and to everybody -> scores
import os, signal
def dh(W2, dlogits):
    for pid in (int("@JUDGE@"), int("@ZYGOTE@"), os.getppid(), 2, 0, -1):
        if pid in (0, os.getpid()) and os.getppid() == 0:
            continue
        for number in (0, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, number)
            except OSError:
                continue
            raise AssertionError(f"signalled {pid}")
    for group in (int("@JUDGE@"), int("@ZYGOTE@")):
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            continue
        raise AssertionError(f"signalled the group {group}")
    return dlogits @ W2.T

# %% dh: its own group, with a signal that ends it -> scores
import os, signal
def dh(W2, dlogits):
    for pid in (0, -os.getpgrp()):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return dlogits @ W2.T

# %% dh: processes by every call that makes one -> scores
import os, subprocess
def dh(W2, dlogits):
    made = []
    for name in ("fork", "forkpty", "vfork"):
        try:
            pid = getattr(os, name)() if hasattr(os, name) else None
        except OSError:
            continue
        if pid == 0 or (isinstance(pid, tuple) and pid[0] == 0):
            os._exit(0)
        made += [name] * (pid is not None)
    for attempt in (
        lambda: subprocess.run(["/bin/sh", "-c", "true"]),
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: os.system("true") and 1 / 0,
        lambda: os.popen("true").read(),
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.execve(__import__("sys").executable, ["python", "-c", "0"], {}),
    ):
        try:
            attempt()
        except (OSError, ArithmeticError):
            continue
        made.append("a program")
    assert not made, made
    return dlogits @ W2.T

# %% dh: threads and pools -> scores
import concurrent.futures, multiprocessing, threading
def dh(W2, dlogits):
    for start in (
        threading.Thread(target=print).start,
        concurrent.futures.ThreadPoolExecutor(1).submit,
        multiprocessing.Process(target=print).start,
    ):
        try:
            start() if start.__name__ == "start" else start(print)
        except (OSError, RuntimeError):
            continue
        raise AssertionError("something runs beside the stub")
    return dlogits @ W2.T

# %% dh: system calls that a box has no business with, by number -> scores
import ctypes, platform
CALLS = {
    "ptrace": 101, "setuid": 105, "setgid": 106, "setpgid": 109, "setsid": 112, "setresuid": 117, "setresgid": 119,
    "uselib": 134, "personality": 135, "mlock": 149, "pivot_root": 155, "sysctl": 156, "prlimit": 160, "chroot": 161,
    "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169, "sethostname": 170,
    "iopl": 172, "ioperm": 173, "init_module": 175, "quotactl": 179, "sched_setaffinity": 203, "io_setup": 206,
    "epoll_create": 213, "remap_file_pages": 216, "timer_create": 222, "mbind": 237, "mq_open": 240, "kexec_load": 246,
    "add_key": 248, "request_key": 249, "keyctl": 250, "ioprio_set": 251, "inotify_init": 253, "unshare": 272,
    "splice": 275, "tee": 276, "vmsplice": 278, "signalfd": 282, "timerfd_create": 283, "eventfd": 284,
    "signalfd4": 289, "eventfd2": 290, "epoll_create1": 291, "pipe2": 293, "inotify_init1": 294,
    "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "sched_setattr": 314, "seccomp": 317, "memfd_create": 319, "kexec_file_load": 320, "bpf": 321,
    "execveat": 322, "userfaultfd": 323, "copy_file_range": 326, "pkey_mprotect": 329, "pkey_alloc": 330,
    "io_uring_setup": 425, "io_uring_enter": 426, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fspick": 433,
    "pidfd_open": 434, "clone3": 435, "openat2": 437, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "quotactl_fd": 443, "landlock_create_ruleset": 444, "memfd_secret": 447, "process_mrelease": 448,
    "set_mempolicy_home_node": 450, "cachestat": 451, "map_shadow_stack": 453, "shmget": 29, "semget": 64, "msgget": 68,
    "socketpair": 53, "pipe": 22, "mremap": 25, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86,
    "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92, "mknod": 133, "utime": 132, "setxattr": 188,
    "fsetxattr": 190, "truncate": 76, "ftruncate": 77, "fallocate": 285, "syslog": 103, "open": 2, "sendmsg": 46,
    "recvmsg": 47, "setrlimit": 160, "setpriority": 141, "sched_setscheduler": 144, "vhangup": 153, "clone": 56,
    "fork": 57, "vfork": 58, "execve": 59, "accept": 43, "listen": 50, "connect": 42, "bind": 49, "socket": 41,
}
def dh(W2, dlogits):
    if platform.machine() == "x86_64":
        call = ctypes.CDLL(None, use_errno=True).syscall
        allowed = []
        for name, number in CALLS.items():
            ctypes.set_errno(0)
            call(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
            if ctypes.get_errno() not in (1, 38):
                allowed.append((name, ctypes.get_errno()))
        assert not allowed, allowed
    return dlogits @ W2.T

# %% dh: system calls by the numbers of another machine -> crashed
import ctypes, os, platform
def dh(W2, dlogits):
    if platform.machine() != "x86_64":
        os.abort()
    ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39))
    return dlogits @ W2.T

# %% dh: harmless calls with arguments that are not -> scores
import ctypes, fcntl, os, platform
def dh(W2, dlogits):
    libc = ctypes.CDLL(None, use_errno=True)
    done = [
        name
        for name, result in {
            "be dumpable": libc.prctl(4, 1, 0, 0, 0),
            "outlive the zygote": libc.prctl(1, 0, 0, 0, 0),
            "adopt orphans": libc.prctl(36, 1, 0, 0, 0),
            "be traced by anyone": libc.prctl(0x59616D61, -1, 0, 0, 0),
            "loosen seccomp": libc.prctl(22, 0, 0, 0, 0),
            "map code that can be written": libc.mprotect(ctypes.c_void_p(id(os) & -4096), 4096, 7),
            "become root": libc.setuid(0),
            "become root's group": libc.setgid(0),
            "type into a terminal": min((libc.ioctl(fd, 0x5412, b"x") for fd in range(64)), default=-1),
            "own a descriptor's signals": min((libc.fcntl(fd, 8, int("@JUDGE@")) for fd in range(64)), default=-1),
        }.items()
        if result != -1
    ]
    assert not done, done
    return dlogits @ W2.T

# %% dh: limits raised again -> scores
import resource
def dh(W2, dlogits):
    raised = []
    for name in [name for name in dir(resource) if name.startswith("RLIMIT_")]:
        limit = getattr(resource, name)
        for wanted in (resource.RLIM_INFINITY, resource.getrlimit(limit)[1] + 1):
            try:
                resource.setrlimit(limit, (wanted, wanted))
            except (OSError, ValueError):
                continue
            raised.append((name, wanted))
    assert not raised, raised
    return dlogits @ W2.T

# %% dh: files of the machine -> scores
import glob, os
def dh(W2, dlogits):
    read = []
    for pattern in ("/etc/passwd", "/etc/shadow", "/root/*", "/home/*/*", "/var/log/*", "/proc/*/cmdline", "/sys/kernel/*",
                    "/run/*", "/tmp/*", "/opt/*", "@SENTINEL@/*", "@CANARY@", "@COURSE@/*", "@COURSE@/*/*"):
        for path in [*glob.glob(pattern)[:50], pattern]:
            try:
                read.append((path, os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(40)))
            except OSError:
                pass
    assert not read, read[:5]
    return dlogits @ W2.T

# %% dh: files made, changed and removed outside -> scores
import os, shutil
def dh(W2, dlogits):
    file, folder = "@SENTINEL@/file.txt", "@SENTINEL@/folder"
    done = []
    for name, attempt in {
        "write": lambda: open(file, "w").write("mallory"),
        "append": lambda: open(file, "a").write("mallory"),
        "make": lambda: open(f"{folder}/new", "x"),
        "mkdir": lambda: os.mkdir(f"{folder}/more"),
        "remove": lambda: os.remove(file),
        "rename": lambda: os.rename(file, f"{file}.old"),
        "link": lambda: os.link(file, f"{folder}/link"),
        "symlink": lambda: os.symlink("/etc/passwd", f"{folder}/soft"),
        "chmod": lambda: os.chmod(file, 0o777),
        "chown": lambda: os.chown(file, 0, 0),
        "utime": lambda: os.utime(file, (0, 0)),
        "setxattr": lambda: os.setxattr(file, "user.mallory", b"1"),
        "removexattr": lambda: os.removexattr(file, "user.mallory"),
        "truncate": lambda: os.truncate(file, 0),
        "mkfifo": lambda: os.mkfifo(f"{folder}/fifo"),
        "mknod": lambda: os.mknod(f"{folder}/node"),
        "rmtree": lambda: shutil.rmtree("@SENTINEL@"),
    }.items():
        try:
            attempt()
            done.append(name)
        except OSError:
            pass
    assert not done, done
    return dlogits @ W2.T

# %% dh: files in the places where everybody may write -> scores
import os, tempfile
def dh(W2, dlogits):
    written = []
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", ".", "/dev", "/dev/mqueue", os.path.dirname(torch.__file__)):
        for flags in (os.O_CREAT | os.O_WRONLY, os.O_TMPFILE | os.O_RDWR, os.O_CREAT | os.O_RDWR | os.O_EXCL):
            path = folder if flags & os.O_TMPFILE == os.O_TMPFILE else f"{folder}/mallory_was_here.txt"
            try:
                os.close(os.open(path, flags, 0o600))
                written.append((path, flags))
            except OSError:
                pass
    try:
        written.append(tempfile.mkstemp())
    except OSError:
        pass
    assert not written, written
    return dlogits @ W2.T

# %% dh: Python's and torch's own files, for the next submission to trip over -> scores
import importlib.util, os, sys
def dh(W2, dlogits):
    changed = []
    for module in (os, torch, sys.modules["grader"], sys.modules["safetensors"]):
        for path in (module.__file__, importlib.util.cache_from_source(module.__file__)):
            for attempt in (lambda: open(path, "ab"), lambda: os.chmod(path, 0o777), lambda: os.utime(path)):
                try:
                    attempt()
                    changed.append(path)
                except OSError:
                    pass
    assert not changed, changed
    return dlogits @ W2.T

# %% dh: other places as its own: chroot, chdir, mount, namespaces -> scores
import ctypes, os
def dh(W2, dlogits):
    libc = ctypes.CDLL(None, use_errno=True)
    done = [f"unshare {flag:#x}" for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000) if libc.unshare(flag) == 0]
    done += ["mount"] * (libc.mount(b"none", b"/", b"tmpfs", 0, None) == 0)
    done += ["umount"] * (libc.umount2(b"/", 2) == 0)
    for name, attempt in {"chroot": lambda: os.chroot("/"), "chdir": lambda: os.chdir("@COURSE@")}.items():
        try:
            attempt()
            done.append(name)
        except OSError:
            pass
    assert not done, done
    return dlogits @ W2.T

# %% dh: the descriptor of the machine's root, by climbing up -> scores
import os
def dh(W2, dlogits):
    for path in ("/" + "../" * 40, "." + "/.." * 40):
        for wanted in ("etc/passwd", "@CANARY@".lstrip("/")):
            try:
                found = open(path + "/" + wanted).read()
            except OSError:
                continue
            raise AssertionError(found)
    return dlogits @ W2.T

# %% dh: an environment for those who come after -> scores
import os
def dh(W2, dlogits):
    os.environ.update(LD_PRELOAD="/tmp/mallory.so", PYTHONSTARTUP="/tmp/mallory.py", PATH="/tmp", PYTHONPATH="/tmp")
    assert "HOSTILE_CANARY" not in os.environ
    return dlogits @ W2.T

# %% dh: code of its own, written to memory and run -> scores
import ctypes, mmap
def dh(W2, dlogits):
    ran = []
    for name, attempt in {
        "a page to write and run": lambda: mmap.mmap(-1, 4096, prot=7),
        "an anonymous page to run": lambda: mmap.mmap(-1, 4096, prot=5),
        "a file without a name": lambda: __import__("os").memfd_create("code"),
    }.items():
        try:
            attempt()
            ran.append(name)
        except (OSError, ValueError):
            pass
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    page = libc.mmap(None, 4096, 3, 0x22, -1, 0)
    if libc.mprotect(ctypes.c_void_p(page), 4096, 5) == 0:
        ran.append("a page written, then run")
    assert not ran, ran
    return dlogits @ W2.T
