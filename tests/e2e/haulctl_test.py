#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Goal: haulctl prints what the control plane knows, and its exit status says how that went. Method: the real haulctl
against a real haul-controlplane, whose dataplane is played by the test on a thread of its own.
"""

import contextlib
import json
import os
import subprocess
import threading

import control_rig as wire
from control_rig import Dataplane, Rig

GOOD, FAILED, USAGE, UNREACHABLE, ABSENT, UNAVAILABLE = range(6)


@contextlib.contextmanager
def answering(data):
    """The dataplane answers PING and TABLE while the test waits for haulctl."""
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


def haulctl(rig, control, *words):
    command = [rig.haulctl, "--socket", control.http_socket, *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=wire.PATIENCE_S, check=False)
    return run.returncode, run.stdout, run.stderr


def lists_and_shows():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        data.publish("dir/s", buffers=2, readers="*")
        data.rows = [wire.PEER_ROW.pack(b"b", b"udp", b"ready", 0xB1, 5000, 17, 1, 3 << 30, 3, 4)]
        with answering(data):
            code, out, _ = haulctl(rig, control, "status")
            assert code == GOOD and "a, published" in out and "ready, epoch" in out, out
            code, out, _ = haulctl(rig, control, "node", "list")
            assert code == GOOD and "udp 10.0.0.1:4791" in out and out.startswith("NODE"), out
            code, out, _ = haulctl(rig, control, "segment", "list")
            assert code == GOOD and "dir/s" in out and "16.0 KiB" in out, out
            code, out, _ = haulctl(rig, control, "segment", "show", "dir/s")
            assert code == GOOD and "owner        a" in out and "000000000001000001" not in out
            assert "8192" in out and "read,write" in out and "active" in out, out
            code, out, _ = haulctl(rig, control, "peer", "list")
            assert code == GOOD and "3.00 GiB" in out and "5.0 s" in out, out
            heads, row = out.splitlines()
            assert heads.index("TRANSPORT") == row.index("udp"), out
            code, out, _ = haulctl(rig, control, "stats")
            assert code == GOOD and "request.published" in out, out
            code, out, _ = haulctl(rig, control, "stats", "--interval", "1", "--count", "1", "--all")
            assert code == GOOD and "PER_SECOND" in out, out


def prints_json():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        data.publish("s")
        with answering(data):
            for words in (["status"], ["node", "list"], ["segment", "list"], ["segment", "show", "s"],
                          ["peer", "list"], ["stats"], ["doctor"]):  # fmt: skip
                code, out, error = haulctl(rig, control, "--json", *words)
                assert code in (GOOD, FAILED), (words, error)
                json.loads(out)
        status = json.loads(haulctl(rig, control, "status", "--json")[1])
        assert status["node"]["incarnation"] == "00000000000000a1"


def exit_statuses_tell_apart():
    with Rig() as rig:
        control = rig.control()
        for words in ([], ["nonsense"], ["segment"], ["segment", "show"], ["status", "more"], ["stats", "--interval", "0"],
                      ["segment", "show", "bad name"], ["--nonsense"]):  # fmt: skip
            assert haulctl(rig, control, *words)[0] == USAGE, words
        code, _, error = haulctl(rig, control, "status")
        assert code == UNREACHABLE and "is haul-controlplane running?" in error, error
        assert haulctl(rig, control, "doctor")[0] == UNREACHABLE
        control.start()
        assert haulctl(rig, control, "status")[0] == GOOD
        assert haulctl(rig, control, "segment", "show", "s")[0] == ABSENT
        code, _, error = haulctl(rig, control, "peer", "list")
        assert code == UNAVAILABLE and "no dataplane is connected" in error, error
        code, out, _ = haulctl(rig, control, "doctor")
        assert code == FAILED and "haul-dataplane" in out, out
        rig.redis_kill()
        wire.wait_for("the loss", lambda: haulctl(rig, control, "segment", "list")[0] == UNAVAILABLE)
        code, out, _ = haulctl(rig, control, "status")
        assert code == GOOD and "not ready: redis at unix:" in out, out


def every_command_has_help():
    with Rig(redis=False) as rig:
        control = rig.control()
        code, out, _ = haulctl(rig, control, "--help")
        assert code == GOOD and "Exit status" in out
        for words in (["status"], ["node", "list"], ["segment", "list"], ["segment", "show"], ["peer", "list"],
                      ["transport", "list"], ["channel", "list"], ["stats"], ["doctor"]):  # fmt: skip
            code, out, _ = haulctl(rig, control, *words, "--help")
            assert code == GOOD and "haulctl [OPTION]... " + " ".join(words) in out, out
        assert haulctl(rig, control, "--version")[1].startswith("haulctl ")


def main():
    assert os.environ.get("HAULCTL"), "HAULCTL must name the binary"
    wire.run([lists_and_shows, prints_json, exit_statuses_tell_apart, every_command_has_help])


if __name__ == "__main__":
    main()
