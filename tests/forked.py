"""Python processes that are forked from a warm one: the imports, seconds each, are done once.

`Forked` has what tests use of `subprocess.Popen`. What runs is Python as started by `-m` or `-c`:
a process of its own, with its own streams, its own end and real signals. It differs from a start
by the shell in what is imported before, in its command as /proc tells it, and in that all have
one seed of hashes; where that is the point, start it with `small.launched`.
"""

import atexit
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

POSSIBLE = sys.platform == "linux"  # elsewhere libraries break in forks
NUMBER = struct.Struct("i")
MOST_BYTES = 2**20  # of a request: an environment and a command
# What the verbs import when they are called.
WARM = (
    "fvcore.nn",
    "htpbench.bench.costs",
    "htpbench.bench.lifting",
    "htpbench.bench.runner",
    "htpbench.bench.together",
    "htpbench.cli.launch",
    "htpbench.cli.workers",
    "htpbench.gate.check",
    "htpbench.report.build",
    "htpbench.report.figures.style",
    "htpbench.search.sweep",
    "htpbench.training.train",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "scipy.stats",
    "seaborn",
    "torch._dynamo",
)


class Server:
    """The warm process, as whoever wants forks of it sees it; it ends with us."""

    def __init__(self, environment):
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            cwd=Path(__file__).parent,
            env=environment,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self.close)

    def fork(self, asked, streams):
        """Fork for a request; (pid, pipe that will tell the exit status)."""
        told, status = os.pipe()
        socket.send_fds(self.ours, [json.dumps(asked).encode()], [*streams, status])
        os.close(status)
        return received(told), told

    def close(self):
        self.ours.close()
        self.process.wait(30)


def received(pipe):
    """A number from a pipe."""
    found = os.read(pipe, NUMBER.size)
    if not found:
        raise EOFError("the process that is forked from has ended")
    return NUMBER.unpack(found)[0]


class Forked:
    """`python ARGUMENTS`, forked; stands for a Popen with pipes of text."""

    def __init__(self, server, arguments, cwd, environment):
        self.args, self.stdin, self.returncode = arguments, None, None
        pipes = os.pipe(), os.pipe()
        self.stdout, self.stderr = (open(read) for read, _ in pipes)  # noqa: SIM115
        request = {"arguments": arguments, "cwd": str(cwd), "environment": environment}
        streams = [write for _, write in pipes]
        self.pid, self.told = server.fork(request, streams)
        for write in streams:
            os.close(write)

    def wait(self, timeout=None):
        with selectors.DefaultSelector() as selector:
            if self.returncode is None:
                selector.register(self.told, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout)
                self.returncode = received(self.told)
                os.close(self.told)
        return self.returncode

    def poll(self):
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def communicate(self, timeout=None):
        texts = {}

        def read(pipe):
            with pipe:
                texts[pipe] = pipe.read()

        open_ones = [pipe for pipe in (self.stdout, self.stderr) if not pipe.closed]
        readers = [threading.Thread(target=read, args=(pipe,), daemon=True) for pipe in open_ones]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait(timeout)
        return texts.get(self.stdout, ""), texts.get(self.stderr, "")

    def send_signal(self, number):
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def serve(asking):
    """Fork for each request that comes; returns the request in a fork, None where all is over."""
    statuses = {}  # pid -> the pipe that its exit status goes to
    died, wake = socket.socketpair()
    for one in (died, wake):
        one.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which ends us
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        for one in (asking, died):
            selector.register(one, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if died in ready:
                with suppress(BlockingIOError):
                    died.recv(4096)
                reap(statuses)
            if asking not in ready:
                continue
            message, given, *_ = socket.recv_fds(asking, MOST_BYTES, 3)
            if not message:
                return None
            *streams, status = given
            pid = os.fork()
            if not pid:
                break
            statuses[pid] = status
            os.write(status, NUMBER.pack(pid))
            for stream in streams:
                os.close(stream)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
    for one in (asking, died, wake):
        one.close()
    for one in (*given, *statuses.values()):
        os.close(one)
    return json.loads(message)


def reap(statuses):
    """Tell the exit status of each fork that has ended."""
    for pid in list(statuses):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            pipe = statuses.pop(pid)
            with suppress(BrokenPipeError):
                os.write(pipe, NUMBER.pack(os.waitstatus_to_exitcode(status)))
            os.close(pipe)


def lived(asked):
    """Be what was asked for to its end; returns the exit code, as Python has it."""
    try:
        become(asked)
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException as error:
        traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        return 1
    return 0


def end(code):
    """End in Python's order. Taking all modules apart, which comes last there, lasts seconds."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for out in (sys.stdout, sys.stderr):
        try:
            out.flush()
        except (AttributeError, OSError, ValueError):
            code = code or 120
    os._exit(code & 0xFF)


def become(asked):
    """Run what was asked for as the main program."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None
    sys.stdin = sys.__stdin__ = open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = stream(1, "<stdout>", "strict")
    sys.stderr = sys.__stderr__ = stream(2, "<stderr>", "backslashreplace", line_buffering=True)
    kind, what, *rest = asked["arguments"]
    sys.orig_argv = [sys.executable, kind, what, *rest]
    sys.argv = [kind, *rest]
    if kind == "-m":
        sys.path[0] = os.getcwd()
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = ""
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), main.__dict__)


def stream(number, name, errors, **options):
    """A standard stream, as Python makes it."""
    buffered = open(number, "wb", closefd=False)  # noqa: SIM115
    buffered.raw.name = name
    return TextIOWrapper(buffered, errors=errors, **options)


def warm():
    """Import what takes time; where a module cannot be imported, forks say so themselves."""
    for name in WARM:
        __import__(name)
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    asking = socket.socket(fileno=int(sys.argv[1]))
    warm()
    asked = serve(asking)
    if asked:
        end(lived(asked))
