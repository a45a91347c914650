# SPDX-License-Identifier: BSD-3-Clause
"""What tests/perf/compare runs: clusters of two nodes, the programs beside it, and an eye on who else uses the machine."""
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEMORY_BYTES = 256 << 20
TICKS = os.sysconf("SC_CLK_TCK")

# Other work than ours on more than this much of a processor disturbs a measurement.
DISTURBED_SHARE = 0.10
TRIES_MAX = 4


class Foreign:
    """How much of the machine others use: all that is busy, less what is ours."""

    def __init__(self, pids):
        self.pids = pids
        self.start = time.monotonic()
        self.busy = self.busy_seconds()
        self.own = self.own_seconds()

    @staticmethod
    def busy_seconds():
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / TICKS

    def own_seconds(self):
        seconds = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            seconds += usage.ru_utime + usage.ru_stime
        for pid in self.pids:
            seconds += cpu_seconds(pid)
        return seconds

    def share(self):
        passed = time.monotonic() - self.start
        return max(0.0, self.busy_seconds() - self.busy - (self.own_seconds() - self.own)) / passed


def cpu_seconds(pid):
    """Processor time of a process that lives, all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def run(words, **options):
    """The output of a program; its log lines stay out of ours."""
    options = {"check": True, "text": True, "timeout": 180, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, **options}
    return subprocess.run(words, **options).stdout


def values(line):
    """The figures of a line of name=value."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([0-9.]+)", line)}


class Namespaces:
    """Two network namespaces with two veth pairs: `wire` for haul, `bare` for the bare wire."""

    made = 0

    def __init__(self, mtu):
        Namespaces.made += 1
        self.names = [f"haul-compare-{os.getpid()}-{Namespaces.made}{node}" for node in "ab"]
        for name in self.names:
            run(["ip", "netns", "add", name])
        for pair in ("wire", "bare"):
            run(["ip", "link", "add", pair, "netns", self.names[0], "mtu", str(mtu), "type", "veth",
                 "peer", "name", pair, "netns", self.names[1], "mtu", str(mtu)])
            for name in self.names:
                run(["ip", "-n", name, "link", "set", pair, "addrgenmode", "none", "up"])

    def end(self):
        for name in self.names:
            run(["ip", "netns", "delete", name], check=False)


class Cluster:
    """Nodes a and b on a wire, through tools/cluster.sh, each worker on a processor of its own; a segment on each."""

    def __init__(self, build, device="vhost", mtu=1500, workers=((0,), (1,)), lines=""):
        self.build = build
        self.device = device
        self.mtu = mtu
        self.folder = tempfile.mkdtemp(prefix="haul-compare.")
        self.owners = []
        self.daemons = []
        self.namespaces = None
        try:
            if device.startswith("net_af"):
                self.namespaces = Namespaces(mtu)
            self.begin(workers, lines)
        except BaseException:
            self.end()
            raise

    def begin(self, workers, lines):
        script = 'cluster_begin "$CLUSTER_DIR"; cluster_redis_start;'
        for node, side, number in (("a", "server", 1), ("b", "client", 2)):
            list_of = ", ".join(map(str, workers[number - 1]))
            script += f"""cluster_node {node} "$({self.wire(side, number)})
                workers = [ {list_of} ]; {lines}"; cluster_control_start {node};"""
        self.shell(script)
        for node in "ab":
            self.start(node)
        for node in "ab":
            self.own(node)

    def wire(self, side, number):
        if self.device == "vhost":
            return f"cluster_wire {side} 10.77.0.{number}/24 {self.mtu}"
        port = f'{{ name = \\"wire\\"; device = \\"{self.device}0,iface=wire\\"; address = \\"10.77.0.{number}/24\\"; mtu = {self.mtu}; }}'
        return f'echo "udp = {{ ports = ( {port} ); }};"'

    def path(self, name):
        return os.path.join(self.folder, name)

    def shell(self, script):
        environment = dict(os.environ, CLUSTER_DIR=self.folder, CLUSTER_BUILD=self.build, CLUSTER_NAME="compare")
        run(["bash", "-c", f"set -e; . {TOP}/tools/cluster.sh; {script}"], env=environment, stdout=subprocess.DEVNULL)

    def start(self, node):
        """A dataplane, in its namespace where there is one."""
        prefix = ["ip", "netns", "exec", self.namespaces.names["ab".index(node)]] if self.namespaces else []
        with open(self.path(f"{node}.data.log"), "a", encoding="utf-8") as log:
            process = subprocess.Popen(prefix + [f"{self.build}/dataplane/haul-dataplane", "--config", self.path(f"{node}.data.conf")],
                                       stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.daemons.append(process)
        self.await_path(f"{node}.attach.sock")

    def await_path(self, name):
        end = time.monotonic() + 20
        while not os.path.exists(self.path(name)):
            if time.monotonic() > end:
                raise RuntimeError(f"no {name}; the logs are in {self.folder}")
            time.sleep(0.02)

    def environment(self, node):
        return dict(os.environ, HAUL_SOCKET=self.path(f"{node}.attach.sock"), HAUL_HTTP=self.path(f"{node}.http.sock"))

    def own(self, node):
        owner = subprocess.Popen([f"{self.build}/tools/haul-bench", "serve", f"on-{node}", str(MEMORY_BYTES)], text=True,
                                 env=self.environment(node), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.owners.append(owner)
        if not owner.stdout.readline():
            raise RuntimeError(f"no segment on node {node}; the logs are in {self.folder}")

    def pids(self):
        pids = [process.pid for process in self.owners + self.daemons]
        for name in ("a.control.pid", "b.control.pid", "redis.pid"):
            with open(self.path(name), encoding="ascii") as file:
                pids.append(int(file.read()))
        return pids

    def bench(self, node, segment, seconds, *words):
        """One row of haul-bench on a node against a segment."""
        output = run([f"{self.build}/tools/haul-bench", "--json", "-", "--duration", str(seconds), *words, "run", segment],
                     env=self.environment(node), timeout=seconds + 60)
        return json.loads(output)[0]

    def stats(self, node):
        """Counters by group and name, workers summed up."""
        found = {}
        for row in json.loads(run([f"{self.build}/tools/haulctl", "--json", "stats"], env=self.environment(node)))["counters"]:
            key = (row["group"], row["name"])
            found[key] = found.get(key, 0) + int(row["value"])
        return found

    def end(self):
        for process in self.owners + self.daemons:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.shell("cluster_end")
        if self.namespaces:
            self.namespaces.end()
        shutil.rmtree(self.folder)


def ucx_put(bytes_each, count):
    """GB/s of UCX's put over tcp on loopback, failure detection on (-e) as haul has: what its users compare with."""
    environment = dict(os.environ, UCX_TLS="tcp", UCX_NET_DEVICES="lo", UCX_WARN_UNUSED_ENV_VARS="n")
    words = ["ucx_perftest", "-p", str(20000 + os.getpid() % 20000), "-e"]
    server = subprocess.Popen(["taskset", "-c", "1", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        output = run(["taskset", "-c", "0", *words, "127.0.0.1", "-t", "ucp_put_bw", "-s", str(bytes_each), "-n", str(count), "-w", "20"],
                     env=environment)
    finally:
        server.terminate()
        server.wait()
    final = [line for line in output.splitlines() if line.startswith("Final:")][-1].split()
    # Final: iterations, typical/percentile, average and overall latency, average and overall MB/s (of 2^20), rates
    return float(final[6]) * (1 << 20) / 1e9


def start(words, environment):
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
