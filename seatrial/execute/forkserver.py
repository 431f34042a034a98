"""A warm, single-threaded process that forks one child per task.

Importing scikit-learn, LightGBM and their like takes seconds; a fork of a process that has done it takes
milliseconds. The server imports the modules that it is told to preload one by one, between requests, so the first task
does not wait for all of them. It stays single-threaded: a fork copies locks, but not the threads that would release
them.

Protocol, over a Unix stream socket whose other end belongs to the runner: a request is one JSON line
``{"id": n, "spec": path}`` with two file descriptors attached (the task's log and its event pipe); answers are JSON
lines ``{"id": n, "pid": p}`` and ``{"id": n, "status": wait status, "user_s": …, "system_s": …, "max_rss_kb": …}``.
``{"kill": n}`` ends a task with everything that it started. When the runner goes away, for whatever reason, so do the
server and all tasks.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from seatrial.execute import observed

Json = Any

# what every task imports, of the standard library and of ours: done here once, not in each task
_STANDARD = ("contextlib", "dataclasses", "hashlib", "inspect", "pathlib", "typing", *observed.ENGINE_OF_TASKS)
_PR_SET_PDEATHSIG = 1


@dataclass
class _Server:
    control: socket.socket
    preload: list[str]
    children: dict[int, int] = field(default_factory=dict)
    """Process id -> request id."""
    buffered: bytes = b""
    descriptors: list[int] = field(default_factory=list)

    def serve(self) -> None:
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the runner decides what it means
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(0 if self.preload else None):
                    if key.fileobj == wake_read:
                        os.read(wake_read, 4096)
                    elif not self.receive():
                        return
                self.reap()
                if self.preload:
                    _import(self.preload.pop(0))
                    if not self.preload:
                        gc.collect()
                        gc.freeze()  # keeps the collector from touching, and so copying, shared pages in children

    def receive(self) -> bool:
        """Handle what the runner sent; ``False`` when it is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.control, 65536, 16)
        except ConnectionError:
            return False
        if not data:
            return False
        self.descriptors += descriptors
        *lines, self.buffered = (self.buffered + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "kill" in message:
                self.kill(message["kill"])
            else:
                log, events = self.descriptors[:2]
                del self.descriptors[:2]
                self.start(message["id"], message["spec"], log, events)
        return True

    def start(self, request: int, spec: str, log: int, events: int) -> None:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                self.control.close()
                code = _child(spec, log, events)
            except SystemExit as exc:
                code = _exit_code(exc)
            except BaseException:  # noqa: BLE001 - whatever it was, this process is the task and must end as one
                traceback.print_exc()
                code = 1
            finally:
                _flush()
                os._exit(code)
        os.close(log)
        os.close(events)
        _own_group(pid)
        self.children[pid] = request
        self.send({"id": request, "pid": pid})

    def reap(self) -> None:
        while self.children:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            # what a task started does not outlive it; killed before the reaping, while its id cannot be another's
            _kill_group(ended.si_pid)
            pid, status, usage = os.wait4(ended.si_pid, 0)
            request = self.children.pop(pid, None)
            if request is not None:
                answer = {"id": request, "status": status, "user_s": usage.ru_utime, "system_s": usage.ru_stime}
                self.send({**answer, "max_rss_kb": usage.ru_maxrss})

    def kill(self, request: int) -> None:
        for pid, owner in self.children.items():
            if owner == request:
                _kill_group(pid)

    def send(self, message: Mapping[str, Json]) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")


def _child(spec_path: str, log: int, events: int) -> int:
    """In the forked process: become the task."""
    _die_with_parent()
    _own_group(0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.set_inheritable(events, True)
    spec = json.loads(Path(spec_path).read_text())
    os.environ.clear()
    os.environ.update(spec["env"], SEATRIAL_EVENTS_FD=str(events))
    os.chdir(spec["cwd"])
    if "observed" not in spec:
        try:
            os.execvpe(spec["argv"][0], spec["argv"], os.environ)
        except OSError as exc:
            print(f"{spec['argv'][0]}: {exc.strerror}", file=sys.stderr)  # noqa: T201 - standard error is the task's log
            return 127 if isinstance(exc, FileNotFoundError) else 126
    return _python(spec)


def _python(spec: Mapping[str, Json]) -> int:
    """Run a component of the project (``entry``), or a function of a library on a command line (``module``)."""
    sys.path[:0] = [p for p in spec["path"] if p not in sys.path]
    _limit_threads(int(spec["threads"]))
    record = observed.Recorder([Path(root) for root in spec["watch"]], [Path(p) for p in spec["unwatched"]])
    if "entry" in spec:
        from seatrial import component  # imported already; the module of the server must not depend on it

        code = component.run(spec["entry"], spec["executor_input"])
    else:
        code = _call(spec["module"], spec["argv"])
    if code == 0:
        Path(spec["observed"]).write_text(json.dumps(record.files(), sort_keys=True))
    return code


def _call(entry: str, argv: list[str]) -> int:
    """Call ``module:function`` as if it were the program of a process of its own, and end like one."""
    module, _, name = entry.partition(":")
    sys.argv = [module, *argv]
    try:
        getattr(importlib.import_module(module), name)()
        return 0
    finally:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()


def _exit_code(exc: SystemExit) -> int:
    """What Python would exit with."""
    if exc.code is None or isinstance(exc.code, int):
        return (exc.code or 0) & 0xFF
    print(exc.code, file=sys.stderr)  # noqa: T201 - standard error is the task's log
    return 1


def _limit_threads(threads: int) -> None:
    """Libraries that were loaded before the fork have read their environment long ago."""
    limiter = sys.modules.get("threadpoolctl")
    if limiter is not None:
        limiter.threadpool_limits(threads)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as exc:  # noqa: BLE001 - a warm-up that fails costs time only; the task that needs it says why
        print(f"preload {name}: {exc}", file=sys.stderr)  # noqa: T201 - the server's log
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) > 1:
        print(f"preload {name}: started a thread; a fork of it is not safe", file=sys.stderr)  # noqa: T201


def _die_with_parent() -> None:
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(70)


def _own_group(pid: int) -> None:
    with contextlib.suppress(PermissionError, ProcessLookupError):  # the child did it itself, or is gone
        os.setpgid(pid, pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(PermissionError, ProcessLookupError):  # nothing is left of it
        os.killpg(pid, signal.SIGKILL)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a full disk or a closed log; the exit code still counts
            stream.flush()


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """SIGCHLD only has to wake the selector."""


def main() -> None:
    """``python -m seatrial.execute.forkserver FD MODULE…``: serve on the inherited socket until it closes."""
    _die_with_parent()
    for name in _STANDARD:
        _import(name)
    server = _Server(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    try:
        server.serve()
    finally:
        for pid in server.children:
            _kill_group(pid)
        for pid in server.children:  # who waits for this process may rely on it: no task is left
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
