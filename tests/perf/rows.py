# SPDX-License-Identifier: BSD-3-Clause
"""The rows of tests/perf/compare: each measures a few figures a round, and holds some of them against floors."""
import json
import os
import shutil
import tempfile
import time

import rig


class Check:
    """One figure of a round, alone or divided by another, and its floor: at least so much, or at most (is_cost)."""

    def __init__(self, name, figure, floor, meaning, against=None, is_cost=False, is_count=False):
        self.name = name
        self.figure = figure
        self.against = against
        self.floor = floor
        self.meaning = meaning
        self.is_cost = is_cost
        self.is_count = is_count  # something that must not happen: half of it is not twice as good

    def value(self, figures):
        return figures[self.figure] / figures[self.against] if self.against else figures[self.figure]

    def bound(self, is_smoke):
        """The floor, or half of it: twice, of what shall be small."""
        if not is_smoke or self.is_count:
            return self.floor
        return self.floor * 2 if self.is_cost else self.floor / 2

    def holds(self, value, is_smoke):
        bound = self.bound(is_smoke)
        return value <= bound if self.is_cost else value >= bound


class Row:
    """What a row needs. Figures of steady() were measured while nobody else used the machine, as far as that can be had."""

    name = ""
    rounds_max = 1000  # of a row whose rounds are all the same, or long
    in_smoke = True

    def __init__(self, options):
        self.options = options
        self.build = options.build
        self.seconds = 0.5 if options.smoke else 1.5
        self.clusters = {}

    def missing(self):
        return None

    def begin(self):
        pass

    def end(self):
        """Also of a row whose beginning has failed."""
        while self.clusters:
            self.clusters.popitem()[1].end()

    def pids(self):
        return [pid for cluster in self.clusters.values() for pid in cluster.pids()]

    def steady(self, measure):
        """The measurement that others have disturbed least; the first that nobody has."""
        best = None
        for _ in range(1 if self.options.smoke else rig.TRIES_MAX):
            foreign = rig.Foreign(self.pids())
            value = measure()
            share = foreign.share()
            if best is None or share < best[1]:
                best = (value, share)
            if share <= rig.DISTURBED_SHARE:
                break
        self.options.shares.append(best[1])
        return best[0]


class Local(Row):
    name = "local"
    checks = [Check("local", "local", 0.90, "local, 1 MiB WRITE, cold, of one core's cold memcpy", against="memcpy")]

    def begin(self):
        self.clusters[0] = rig.Cluster(self.build)

    def measure(self):
        memcpy = [f"{self.build}/tests/perf/memcpy", str(rig.MEMORY_BYTES >> 20), str(rig.MEMORY_BYTES >> 10)]
        return {
            "memcpy": self.steady(lambda: float(rig.run(memcpy))),
            "local": self.steady(lambda: self.clusters[0].bench("a", "on-a", self.seconds, *COLD)["gb_per_s"]),
        }


COLD = ["--op", "write", "--size", "1M", "--depth", "16", "--cold"]


class Wire(Row):
    """Both directions of a pair of ports, against the bare wire over the same kind of ports."""

    def bare(self, mtu, *words):
        milliseconds = str(int(self.seconds * 1000))

        def measure():
            lines = rig.run([f"{self.build}/tests/perf/wire", "--rounds", "1", "--duration-ms", milliseconds, "--mtu", str(mtu),
                             *words]).splitlines()
            return [rig.values(line)["gbps"] for line in lines]
        return self.steady(measure)


class Vhost(Wire):
    """Side a is the virtio-user end and side b the vhost end of each wire."""

    name = "vhost"
    checks = [Check(f"vhost/{mtu}/{side}/{other}", f"{mtu}/{side}", floor,
                    f"udp over virtio-user/vhost, 1 MiB WRITE from the {side} side, MTU {mtu}, of {text}",
                    against=f"{mtu}/{side}/wire" if other == "wire" else "ucx")
              for mtu, wire, ucx in ((1500, 0.65, 3), (9000, 0.80, 6))
              for side in ("virtio", "vhost")
              for other, floor, text in (("wire", wire, "the bare wire"), ("ucx", ucx, "UCX put over tcp"))]

    def __init__(self, options):
        super().__init__(options)
        self.has_ucx = shutil.which("ucx_perftest") is not None
        if not self.has_ucx:
            self.checks = [check for check in self.checks if check.against != "ucx"]
            print("SKIP what vhost is compared with UCX in: ucx_perftest is not installed (Debian's ucx-utils)")

    def begin(self):
        for mtu in (1500, 9000):
            self.clusters[mtu] = rig.Cluster(self.build, mtu=mtu)

    def measure(self):
        figures = {}
        if self.has_ucx:
            figures["ucx"] = self.steady(lambda: rig.ucx_put(1 << 20, 50 if self.options.smoke else 300))
        for mtu, cluster in self.clusters.items():
            bare = self.bare(mtu)
            for index, (side, node, other) in enumerate((("virtio", "a", "b"), ("vhost", "b", "a"))):
                figures[f"{mtu}/{side}/wire"] = bare[index]
                figures[f"{mtu}/{side}"] = self.steady(
                    lambda c=cluster, n=node, o=other: c.bench(n, f"on-{o}", self.seconds, *COLD)["gb_per_s"])
        return figures


class Veth(Wire):
    name = "veth"
    in_smoke = False
    devices = ("net_af_packet", "net_af_xdp")
    checks = [Check(f"veth/{device}", device, 0.75, f"udp over veth, {device}, MTU 1500, of the bare wire over such a veth",
                    against=f"{device}/wire") for device in devices]

    def missing(self):
        if os.geteuid() != 0 or not shutil.which("ip"):
            return "veth needs root and ip"
        return None

    def begin(self):
        for device in self.devices:
            self.clusters[device] = rig.Cluster(self.build, device=device)

    def measure(self):
        figures = {}
        for device, cluster in self.clusters.items():
            netns = cluster.namespaces.names
            words = ["--device-a", f"{device}0,iface=bare", "--netns-a", netns[0],
                     "--device-b", f"{device}0,iface=bare", "--netns-b", netns[1]]
            # The two ends are alike: the slower direction of each.
            figures[f"{device}/wire"] = min(self.bare(1500, *words))
            figures[device] = min(self.steady(lambda c=cluster, n=node, o=other: c.bench(n, f"on-{o}", self.seconds, *COLD)["gb_per_s"])
                                  for node, other in (("a", "b"), ("b", "a")))
        return figures


class Pair(Row):
    name = "pair"
    checks = [Check("pair", "beyond_ticks", 500, "net_ring pair on one lcore, MTU 1500, cold WRITE: cycles a packet beyond the two copies",
                    is_cost=True)]

    def measure(self):
        return self.steady(lambda: rig.values(rig.run([f"{self.build}/tests/perf/pair", "--rounds", "1", "--mib", "512"])))


class Ops(Row):
    """Both nodes and the client on one processor: nobody polls beside them."""

    name = "ops"
    checks = [
        Check("ops/rate", "rate", 2e6, "64 B WRITE, 256 under way, over a net_ring pair, both ends on one lcore: operations a second"),
        Check("ops/latency", "p50_us", 5, "8 B WRITE, one at a time, the same: p50, us", is_cost=True),
    ]

    def measure(self):
        return self.steady(lambda: rig.values(rig.run([f"{self.build}/tests/perf/ops", "--rounds", "1", "--together"])))


class Simulated(Row):
    """The simulator's own bench: a virtual clock, so every round is the same."""

    rounds_max = 1
    in_smoke = False  # the suite has its own
    rows = None

    def measure(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sim.json")
            rig.run([f"{self.build}/tests/sim/sim", "--bench", "--cc", "swift", "--seed", "1", "--json", path], check=False)
            with open(path, encoding="utf-8") as file:
                rows = {row["row"]: row for row in json.load(file)["rows"]}
        return self.figures(rows)


class Loss(Simulated):
    name = "loss"
    checks = [Check(f"loss/{row}", row, floor, f"simulator, Swift, {text}, of its own loss-free run")
              for row, floor, text in (("loss-1e-4", 0.99, "loss 1e-4"), ("loss-1e-3", 0.97, "loss 1e-3"), ("loss-1e-2", 0.85, "loss 1e-2"),
                                       ("loss-1e-2-reorder", 0.80, "loss 1e-2 and 5 % reordered"))]

    @staticmethod
    def figures(rows):
        return {check.figure: rows[check.figure]["ratio"] for check in Loss.checks}


class Congestion(Simulated):
    name = "cc"
    cases = (("flows-8", "8 flows"), ("flows-8-deep", "8 flows, deep buffer"), ("incast-32", "32 senders"),
             ("incast-32-deep", "32 senders, deep buffer"))
    checks = [check for row, text in cases for check in (
        Check(f"cc/{row}/queue", f"{row}/queue", 2, f"simulator, {text}: p99 of the queueing delay in Swift's targets", is_cost=True),
        Check(f"cc/{row}/jain", f"{row}/jain", 0.95, f"simulator, {text}: Jain's index"),
        Check(f"cc/{row}/share", f"{row}/share", 0.90, f"simulator, {text}: goodput, of the bottleneck (no collapse)"))]

    @staticmethod
    def figures(rows):
        found = {}
        for name, _ in Congestion.cases:
            found[f"{name}/queue"] = rows[name]["queue_p99_us"] / rows[name]["target_us"]
            found[f"{name}/jain"] = rows[name]["jain"]
            found[f"{name}/share"] = rows[name]["share"]
        return found


class Idle(Row):
    name = "idle"
    checks = [
        Check("idle/cpu", "share", 0.03, "an idle daemon under the default policy, connected: share of a core, the busier of two", is_cost=True),
        Check("idle/first", "p99_us", 1000, "8 B WRITE after 50 to 150 ms of idleness: p99, us", is_cost=True),
    ]

    def begin(self):
        self.clusters[0] = rig.Cluster(self.build, workers=((), ()))
        self.first(3)  # connects

    def first(self, count):
        return rig.values(rig.run([f"{self.build}/tests/perf/first", "on-b", str(count), "100"], env=self.clusters[0].environment("a")))

    def share(self):
        pids = [process.pid for process in self.clusters[0].daemons]
        before = [rig.cpu_seconds(pid) for pid in pids]
        start = time.monotonic()
        time.sleep(2 if self.options.smoke else 5)
        passed = time.monotonic() - start
        return max((rig.cpu_seconds(pid) - old) / passed for pid, old in zip(pids, before))

    def measure(self):
        time.sleep(0.5)
        return {"share": self.steady(self.share), **self.steady(lambda: self.first(20 if self.options.smoke else 100))}


class Calm(Row):
    """Two workers that poll on one processor, and load both ways: each is off its core half of the time, for milliseconds."""

    name = "calm"
    rounds_max = 1
    checks = [
        Check("calm/ended", "ended", 0, "under load with more pollers than cores: connections that ended", is_cost=True, is_count=True),
        Check("calm/failed", "failed", 0, "the same: operations that failed", is_cost=True, is_count=True),
        Check("calm/spurious", "spurious", 0.001, "the same: spurious retransmissions, of the data packets sent", is_cost=True),
    ]

    def begin(self):
        self.clusters[0] = rig.Cluster(self.build, workers=((0,), (0,)), lines='idle_policy = \\"poll\\";')

    def sample(self):
        """Both nodes' counters of the udp transport, summed up."""
        found = {}
        for node in "ab":
            for (group, name), value in self.clusters[0].stats(node).items():
                if group in ("udp", "worker"):
                    found[name] = found.get(name, 0) + value
        return found

    def measure(self):
        seconds = 6 if self.options.smoke else self.options.calm_seconds
        loads = []
        for node, other in (("a", "b"), ("b", "a")):
            loads.append(rig.start([f"{self.build}/tools/haul-bench", "--duration", str(seconds + 10), *COLD, "run", f"on-{other}"],
                                   self.clusters[0].environment(node)))
        # From when they are connected, to when both are still at work: a client that ends gives its peers up.
        time.sleep(4)
        before = self.sample()
        time.sleep(seconds)
        after = self.sample()
        failed = sum(load.wait(timeout=120) != 0 for load in loads)
        grown = {name: value - before.get(name, 0) for name, value in after.items()}
        return {
            "seconds": seconds,
            "sent": grown["rudp_data_sent"],
            "again": grown["rudp_retransmitted"],
            "ended": grown["rudp_resets"] + grown["rudp_silent"],
            "doubtful": grown["rudp_doubtful"],
            "failed": failed + grown["operations_failed"],
            "spurious": grown["rudp_spurious"] / grown["rudp_data_sent"],
        }


ALL = [Local, Vhost, Veth, Pair, Ops, Loss, Congestion, Idle, Calm]
