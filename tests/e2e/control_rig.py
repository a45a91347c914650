# SPDX-License-Identifier: BSD-3-Clause
"""A control plane with a private Redis and a dataplane that is played by the test.

Rig() makes a directory, and starts redis-server (Unix socket only) and any number of control planes in it. Everything
it starts is ended by its own pid when the test ends, also when the test fails; nothing of the machine is touched.
"""

import array
import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PATIENCE_S = 20.0

FRAME = struct.Struct("<IHHIIII")
MAGIC = 0x4C554148
VERSION = 1
ANSWER = 0x8000
HELLO, NODE_STATE, PUBLISH, ERASE, OPEN, CLOSE, VERSION_SEEN, PING, TABLE = range(1, 10)
NODE_UNKNOWN, NODE_PUBLISHED, NODE_REFUSED = range(3)
OK, INVALID, RANGE, NOT_FOUND, EXISTS, DENIED = range(6)
STALE, UNAVAILABLE, BUSY, VERSION_ERROR = 6, 9, 13, 15
READ, WRITE = 1, 2
ACTIVE, DRAINING = 1, 2

DESCRIPTOR = struct.Struct("<QIIIIQQQII16s64s64s64s256s256s")
DESCRIPTOR_MAGIC = 0x5345444C554148
KEY = bytes(range(0xF0, 0x100))  # of every segment here
BUFFER = struct.Struct("<QQQII")
ADDRESS = struct.Struct("<BBHI16s")
OPENING_ROW = struct.Struct("<64s64s64s16s16sQQQQQQQQQQQ")
PEER_ROW = struct.Struct("<64s16s16sQQQQQQQQQQQ16s112s")


def text(raw):
    return raw.split(b"\0", 1)[0].decode()


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def wait_for(what, condition, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.02)


def address():
    return ADDRESS.pack(2, 4, 4791, 0, bytes([10, 0, 0, 1]) + bytes(12))


def descriptor(
    segment, node, incarnation, buffers=1, readers="", writers="", version=0, tenant="owner", states=None, regions=None
):
    """states and regions are of the buffers; active, and one handle each, unless they are given."""
    if states is not None:
        buffers = len(states)
    head = DESCRIPTOR.pack(
        DESCRIPTOR_MAGIC, 2, buffers if states is None else sum(map(bool, states)), 1, 0, incarnation, version,
        buffers * 8192, 7, 0, KEY,
        segment.encode(), node.encode(), tenant.encode(), readers.encode(), writers.encode(),
    )  # fmt: skip
    states = states or [ACTIVE] * buffers
    regions = regions or [(1 << 24) + i for i in range(buffers)]
    rows = b"".join(BUFFER.pack(i * 8192, 4096, regions[i], 3, states[i]) for i in range(buffers) if states[i])
    return head + rows + address()


def sealed(data):
    fd = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


class Message:
    def __init__(self, raw, fds):
        fields = FRAME.unpack_from(raw)
        self.type, self.request, self.status = fields[2], fields[4], fields[5]
        self.body, self.fds = raw[FRAME.size :], fds
        self.reason = ""
        self.version = 0
        if self.type & ANSWER:
            self.version = struct.unpack_from("<Q", self.body)[0]
            self.reason = text(self.body[8:])

    def descriptor(self):
        size = os.fstat(self.fds[0]).st_size
        return os.pread(self.fds[0], size, 0)


class Dataplane:
    """The dataplane's end of a control socket."""

    def __init__(self, control, node="a", incarnation=0xA1, host="boot-1", hello=True):
        self.node, self.incarnation, self.host = node, incarnation, host
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(control.control_socket)
        self.next_request = 0
        self.states, self.versions, self.answers = [], [], {}
        self.answers_pings = True
        self.closed = False
        self.rows = []
        if hello:
            assert self.hello().status == OK

    def send(self, kind, body=b"", fd=None, request=None, version=VERSION, magic=MAGIC):
        if request is None:
            self.next_request += 1
            request = self.next_request
        raw = FRAME.pack(magic, version, kind, FRAME.size + len(body), request, 0, 0) + body
        if fd is None:
            self.socket.send(raw)
        else:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
            self.socket.sendmsg([raw], [rights])
            os.close(fd)
        return request

    def receive(self, seconds):
        """Take one message, if one comes in time, and sort it in."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            raw, rights, _, _ = self.socket.recvmsg(8192, socket.CMSG_SPACE(16))
        except socket.timeout:
            return
        except ConnectionError:
            raw, rights = b"", []
        if not raw:
            self.closed = True
            return
        fds = array.array("i")
        for _, _, data in rights:
            fds.frombytes(data)
        message = Message(raw, list(fds))
        if message.type == PING:
            if self.answers_pings:
                self.send(PING | ANSWER, request=message.request)
        elif message.type == NODE_STATE:
            self.states.append((struct.unpack_from("<I", message.body)[0], text(message.body[8:])))
        elif message.type == VERSION_SEEN:
            version, incarnation = struct.unpack_from("<QQ", message.body)
            self.versions.append((text(message.body[16:]), version, incarnation))
        elif message.type == TABLE:
            data = b"".join(self.rows)
            size = len(self.rows[0]) if self.rows else 0
            body = struct.pack("<II192s", len(self.rows), size, b"")
            self.send(TABLE | ANSWER, body, sealed(data) if data else None, message.request)
        else:
            self.answers[message.request] = message

    def pump(self, what, condition, seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            assert left > 0, "waited in vain for " + what
            assert not self.closed, "the control plane has closed the socket; wanted " + what
            self.receive(min(left, 0.5))

    def idle(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.closed:
            self.receive(end - time.monotonic())

    def answer(self, request):
        self.pump("an answer", lambda: request in self.answers)
        return self.answers.pop(request)

    def hello(self, count=1, version=VERSION):
        body = struct.pack("<QII64s64s", self.incarnation, count, 0, self.node.encode(), self.host.encode())
        return self.answer(self.send(HELLO, body + address() + bytes(15 * ADDRESS.size), version=version))

    def wait_published(self):
        self.pump("the node's publication", lambda: self.states and self.states[-1][0] == NODE_PUBLISHED)
        return self

    def wait_state(self, state):
        self.pump("state %d" % state, lambda: self.states and self.states[-1][0] == state)
        return self.states[-1][1]

    def publish_send(self, segment, least=0, **what):
        data = descriptor(segment, self.node, self.incarnation, **what)
        return self.send(PUBLISH, struct.pack("<Q64s", least, segment.encode()), sealed(data))

    def publish(self, segment, least=0, **what):
        return self.answer(self.publish_send(segment, least, **what))

    def erase(self, segment):
        return self.answer(self.send(ERASE, struct.pack("<Q64s", 0, segment.encode())))

    def open_send(self, segment, rights=READ, tenant="owner"):
        return self.send(OPEN, struct.pack("<II64s64s", rights, 0, segment.encode(), tenant.encode()))

    def open(self, segment, rights=READ, tenant="owner"):
        return self.answer(self.open_send(segment, rights, tenant))

    def open_until_ok(self, segment, **what):
        """Open again and again, as a client does whose owner is on its way back."""
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = self.open(segment, **what)
            if answer.status == OK:
                return answer
            assert time.monotonic() < end, answer.reason
            self.idle(0.05)

    def close_segment(self, segment):
        self.send(CLOSE, struct.pack("<Q64s", 0, segment.encode()))

    def wait_version(self, segment, condition):
        self.pump(
            "a version of " + segment,
            lambda: any(v[0] == segment and condition(v[1]) for v in self.versions),
        )

    def hang_up(self):
        self.socket.close()
        self.closed = True


@contextlib.contextmanager
def answering(data):
    """The dataplane takes its messages, and answers PING and TABLE, while the test does something else."""
    stop = threading.Event()

    def loop():
        while not stop.is_set():
            data.receive(0.05)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield data
    finally:
        stop.set()
        thread.join()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self.path)


class ControlPlane:
    def __init__(self, rig, name, **settings):
        self.rig, self.name = rig, name
        self.control_socket = os.path.join(rig.directory, name + ".control")
        self.http_socket = os.path.join(rig.directory, name + ".http")
        self.log = os.path.join(rig.directory, name + ".log")
        self.conf = os.path.join(rig.directory, name + ".conf")
        self.process = None
        values = {"beat_ms": 50, "suspect_ms": 300, "dead_ms": 300, "reconcile_ms": 200}
        values.update(settings)
        with open(self.conf, "w", encoding="ascii") as file:
            file.write('cluster = "test";\n')
            file.write('control_socket = "%s";\nhttp_socket = "%s";\n' % (self.control_socket, self.http_socket))
            file.write('counters_file = "%s/%s.counters";\nlog_level = "debug";\n' % (rig.directory, name))
            file.write('redis = { socket = "%s"; timeout_ms = 700; ' % rig.redis_socket)
            file.write("backoff_min_ms = 20; backoff_max_ms = 200; };\n")
            for key, value in values.items():
                file.write("%s = %d;\n" % (key, value))

    def start(self, *words):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.rig.binary, "--config", self.conf, *words], stdout=log, stderr=log)
        self.rig.processes.append(self.process)
        wait_for("the sockets of " + self.name, self.listens)
        return self

    def listens(self):
        assert self.process.poll() is None, "the control plane ended: " + self.read_log()
        try:
            return self.get("/v1/status")[0] == 200
        except (ConnectionError, FileNotFoundError):
            return False

    def read_log(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def get(self, path, method="GET", headers=None, body=None):
        connection = UnixConnection(self.http_socket)
        connection.request(method, path, headers=headers or {}, body=body)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        # What breaks HTTP itself is answered by the library, in HTML.
        return answer.status, json.loads(raw) if raw[:1] == b"{" else None

    def status(self):
        return self.get("/v1/status")[1]

    def stat(self, group, name):
        for counter in self.get("/v1/stats")[1]["counters"]:
            if counter["group"] == "control_" + group and counter["name"] == name:
                return int(counter["value"])
        raise KeyError(name)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


class Rig:
    def __init__(self, redis=True):
        self.binary = os.environ["HAUL_CONTROLPLANE"]
        if shutil.which("redis-server") is None:
            skip("redis-server is not installed (Debian: redis-server)")
        self.directory = tempfile.mkdtemp(prefix="haul-e2e-")
        self.redis_socket = os.path.join(self.directory, "redis.sock")
        self.redis = None
        self.processes = []
        if redis:
            self.redis_start()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            for name in sorted(os.listdir(self.directory)):
                if name.endswith(".log"):
                    with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                        print("--- " + name + "\n" + file.read()[-6000:], file=sys.stderr)
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        shutil.rmtree(self.directory)

    def redis_start(self, *options):
        self.redis = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--dir", self.directory]
            + ["--save", "", *options],
            stdout=subprocess.DEVNULL,
        )
        self.processes.append(self.redis)
        wait_for("redis", self.redis_answers)

    def redis_answers(self):
        try:
            return self.redis_ask("PING").startswith("+PONG")
        except (ConnectionError, FileNotFoundError):
            return False

    def redis_ask(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(self.redis_socket)
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(65536).decode()

    def redis_kill(self):
        self.redis.kill()
        self.redis.wait()

    def redis_pause(self):
        self.redis.send_signal(signal.SIGSTOP)

    def redis_continue(self):
        self.redis.send_signal(signal.SIGCONT)

    def control(self, name="a", **settings):
        return ControlPlane(self, name, **settings)


def run(tests):
    """Run each test of a list, or those named on the command line; exit 1 when one fails."""
    wanted = sys.argv[1:]
    failed = 0
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            test()
            print("ok      %-60s %5.1f s" % (test.__name__, time.monotonic() - began), flush=True)
        except AssertionError as error:
            failed += 1
            print("FAILED  %s: %r" % (test.__name__, error), flush=True)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
