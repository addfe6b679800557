"""What is done to the agent from outside: the shim that is preloaded into it, small disks, memory groups."""
import contextlib
import ctypes
import errno
import mmap
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time


class NotHere(Exception):
    """This machine does not allow the fault."""


class Control(ctypes.Structure):
    _fields_ = [('clock_ns', ctypes.c_int64), ('kill_after', ctypes.c_int64), ('fail_errno', ctypes.c_int32),
                ('fail_one_in', ctypes.c_int32), ('failed', ctypes.c_int64)]


class Shim:
    """shim.c, built for this run: a clock that is wrong, and calls to the disk that fail or are the last ones."""

    def __init__(self, directory, below):
        compiler = next((name for name in ('cc', 'gcc', 'clang') if shutil.which(name)), None)
        if not compiler:
            raise NotHere('no C compiler for the shim')
        self.library = os.path.join(directory, 'shim.so')
        subprocess.run([compiler, '-O1', '-shared', '-fPIC', '-o', self.library, pathlib.Path(__file__).with_name('shim.c'), '-ldl'],
                       check=True)
        path = os.path.join(directory, 'control')
        with open(path, 'wb+') as file:
            file.truncate(mmap.PAGESIZE)
            self.memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.control = Control.from_buffer(self.memory)
        self.environment = {'LD_PRELOAD': self.library, 'TORTURE_CONTROL': path, 'TORTURE_BELOW': below}
        self.inside = ['env', *(f'{key}={value}' for key, value in self.environment.items())]

    def fail(self, error, one_in):
        self.control.fail_one_in = one_in
        self.control.fail_errno = error

    def well(self):
        self.control.fail_errno = 0
        self.control.kill_after = 0


class SmallDisk:
    """A tmpfs of `size` at `path`, seen only by those that run `inside` it; `root` leads there from outside."""

    def __init__(self, path, size):
        if os.getuid() != 0 or not shutil.which('unshare') or not shutil.which('nsenter'):
            raise NotHere('a small disk needs root, unshare and nsenter')
        os.makedirs(path, exist_ok=True)
        script = 'mount -t tmpfs -o size="$1" none "$2" && echo mounted && exec sleep 100000'
        self.process = subprocess.Popen(['unshare', '-m', 'sh', '-c', script, 'sh', size, path],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.process.stdout.readline() != 'mounted\n':
            self.process.wait()
            raise NotHere('a tmpfs cannot be mounted here')
        self.inside = ['nsenter', '-t', str(self.process.pid), '-m', '--wd=/']
        self.root = f'/proc/{self.process.pid}/root{path}'

    def fill(self):
        """Not a byte is free."""
        with open(os.path.join(self.root, 'filler'), 'ab', buffering=0) as file, contextlib.suppress(OSError):
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(b'x' * size) == size:
                        pass

    def free(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.root, 'filler'))

    def close(self):
        self.process.kill()
        self.process.wait()


class MemoryGroup:
    """A cgroup with a limit of memory, where the kernel's OOM killer is at work."""

    how = 'the OOM killer, in a memory cgroup'

    def __init__(self, name, limit_bytes):
        self.v2 = os.path.exists('/sys/fs/cgroup/cgroup.controllers')
        self.path = f'/sys/fs/cgroup/{"" if self.v2 else "memory/"}{name}'
        try:
            os.mkdir(self.path)
            self.limit(limit_bytes)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
            raise NotHere(f'no memory cgroup may be made: {error.strerror}') from None

    def limit(self, limit_bytes):
        with open(os.path.join(self.path, 'memory.max' if self.v2 else 'memory.limit_in_bytes'), 'w') as file:
            file.write(str(limit_bytes))

    def enter(self):
        """In the new process, before it runs."""
        with open(os.path.join(self.path, 'cgroup.procs'), 'w') as file:
            file.write(str(os.getpid()))

    def watch(self, agent):
        pass

    def close(self):
        for _ in range(100):
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
                return
            time.sleep(0.05)


class MemoryWatch:
    """Where no cgroup may be made: who passes the limit is killed by us."""

    how = 'SIGKILL by a watcher of resident memory, for want of a memory cgroup'

    def __init__(self, limit_bytes):
        self.limit_bytes = limit_bytes

    def limit(self, limit_bytes):
        self.limit_bytes = limit_bytes

    def enter(self):
        pass

    def watch(self, agent):
        def look():
            while agent.running():
                with contextlib.suppress(OSError, TypeError):
                    if agent.rss_bytes() > self.limit_bytes:
                        agent.process.send_signal(signal.SIGKILL)
                time.sleep(0.002)
        threading.Thread(target=look, daemon=True).start()

    def close(self):
        pass


DISK_ERRORS = {'EIO': errno.EIO, 'ENOSPC': errno.ENOSPC}
