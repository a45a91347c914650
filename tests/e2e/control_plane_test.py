#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Goal: the control plane keeps its promises to its dataplane whatever Redis and either daemon do. Method: the real
haul-controlplane and a private redis-server; the dataplane is played by the test, which sees every message.
"""

import hmac
import json
import os
import random
import signal
import socket
import struct
import threading
import time

import control_rig as wire
from control_rig import BUSY, DENIED, EXISTS, INVALID, NOT_FOUND, OK, STALE, UNAVAILABLE, VERSION_ERROR
from control_rig import ACTIVE, DRAINING
from control_rig import NODE_PUBLISHED, NODE_REFUSED, NODE_UNKNOWN, READ, WRITE
from control_rig import Dataplane, Rig, answering, wait_for

# Redis is given 700 ms; whatever waits for it must be over well before this, on any machine.
BOUND_S = 6.0


def timed(function, *arguments, **named):
    began = time.monotonic()
    answer = function(*arguments, **named)
    assert time.monotonic() - began < BOUND_S, "it took %.1f s" % (time.monotonic() - began)
    return answer


def publish_open_erase():
    with Rig() as rig:
        data = Dataplane(rig.control().start()).wait_published()
        answer = data.publish("s", buffers=2)
        assert (answer.status, answer.version) == (OK, 1), answer.reason
        answer = data.open("s", READ | WRITE)
        assert answer.status == OK, answer.reason
        raw = answer.descriptor()
        head = wire.DESCRIPTOR.unpack_from(raw)
        assert head[2:5] == (2, 1, READ | WRITE) and head[5] == data.incarnation and head[6] == 1
        assert raw[wire.DESCRIPTOR.size :] == wire.descriptor("s", "a", 1, 2)[wire.DESCRIPTOR.size :]
        assert data.erase("s").version == 2
        assert data.open("s").status == NOT_FOUND
        assert data.erase("s").status == NOT_FOUND


def the_same_content_bumps_nothing():
    with Rig() as rig:
        data = Dataplane(rig.control().start()).wait_published()
        assert data.publish("s").version == 1
        assert data.publish("s").version == 1
        assert data.publish("s", buffers=2).version == 2
        assert data.publish("s", buffers=2, least=9).version == 9


def buffers_go_through_their_states():
    """absent, active, draining, absent: each a version of its own, seen by who has it open and in the listing."""
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        steps = [[ACTIVE, 0], [ACTIVE, ACTIVE], [DRAINING, ACTIVE], [0, ACTIVE], [ACTIVE, DRAINING]]
        regions = [1 << 24, 5]
        for version, states in enumerate(steps, 1):
            if version == 5:
                regions[0] = 2 << 24  # the place is used again, under another handle
            what = {"states": states, "regions": regions, "least": version - 1}
            answer = owner.publish("s", **what)
            assert (answer.status, answer.version) == (OK, version), answer.reason
            assert owner.publish("s", **what).version == version
            if version == 1:
                assert opener.open("s").status == OK
            else:
                opener.wait_version("s", lambda seen, version=version: seen == version)
            with answering(owner):
                words = [buffer["state"] for buffer in one.get("/v1/segments/s")[1]["buffers"]]
            assert words == [("", "active", "draining")[state] for state in states if state], words


def illegal_transitions_are_refused():
    """A dataplane that takes memory away before it has said so breaks the promise: nothing of it is published."""
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        assert data.publish("s", states=[ACTIVE, ACTIVE]).version == 1
        for states, words in (
            ([ACTIVE], "the buffer at 8192 goes from active to absent"),
            ([ACTIVE, ACTIVE, DRAINING], "the buffer at 16384 goes from absent to draining"),
        ):
            answer = data.publish("s", states=states, least=1)
            assert answer.status == INVALID and words in answer.reason, answer.reason
        answer = data.publish("s", states=[ACTIVE, ACTIVE], regions=[1 << 24, 7], least=1)
        assert answer.status == INVALID, answer.reason
        assert data.publish("s", states=[DRAINING, ACTIVE], least=1).version == 2
        assert data.publish("s", states=[ACTIVE, ACTIVE], least=2).status == INVALID
        assert control.stat("link", "illegal") == 4
        # With its segment everything goes at once.
        assert data.erase("s").status == OK
        assert data.publish("s", states=[ACTIVE]).status == OK
        # A control plane that knows of nothing yet has the script look.
        version = data.publish("s", states=[ACTIVE]).version
        control.kill()
        control.start()
        data = Dataplane(control).wait_published()
        answer = data.publish("s", states=[0, ACTIVE], least=version)
        assert answer.status == INVALID and "vanishes without draining" in answer.reason, answer.reason
        assert control.stat("request", "illegal") == 1


def a_drain_that_was_not_published_is_taken_back():
    """Its answer was lost: the dataplane keeps the buffer, and so does Redis in the end, in a version of its own."""
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        assert data.publish("s", states=[ACTIVE, ACTIVE]).version == 1
        rig.redis_pause()
        request = data.publish_send("s", states=[DRAINING, ACTIVE], least=1)
        assert data.answer(request).status == UNAVAILABLE
        rig.redis_continue()

        def buffers():
            data.idle(0.02)
            code, body = control.get("/v1/segments/s")
            return code == 200 and (int(body["version"]), [buffer["state"] for buffer in body["buffers"]])

        wait_for("nothing to be in doubt", lambda: control.status()["segments_doubtful"] == 0 or data.idle(0.02))
        wait_for("both to be active", lambda: (buffers() or (0, 0))[1] == ["active", "active"])
        version = buffers()[0]
        answer = data.publish("s", states=[DRAINING, ACTIVE], least=1)
        assert answer.status == OK and answer.version > version, (answer.reason, answer.version)


def what_was_answered_too_late_is_taken_back():
    """The dataplane gave up waiting, so it does not know of the version that its publication got."""
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        assert data.publish("s", states=[ACTIVE]).version == 1
        for version, late in ((1, [ACTIVE, ACTIVE]), (3, [DRAINING])):
            assert data.publish("s", states=late, least=version).version == version + 1
            answer = data.publish("s", states=[ACTIVE], least=version)
            assert (answer.status, answer.version) == (OK, version + 2), answer.reason
        assert control.stat("link", "illegal") == 0


def versions_only_grow():
    """Over erasure, over a new incarnation, and over a Redis that was emptied while it is known here."""
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        seen = [data.publish("s").version]
        data.erase("s")
        seen.append(data.publish("s").version)
        data.hang_up()
        data = Dataplane(control, incarnation=0xA2).wait_published()
        seen.append(data.publish("s").version)
        rig.redis_ask("FLUSHALL")
        wait_for("the segment again", lambda: "version" in rig.redis_ask("HGETALL haul:{test}:segment:s"))
        seen.append(data.publish("s", buffers=3).version)
        assert seen == sorted(set(seen)), seen


def a_new_incarnation_retires_the_old_ones_segments():
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        first = Dataplane(one).wait_published()
        assert first.publish("s").status == OK and first.publish("t").status == OK
        other = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        assert other.open("s").status == OK
        first.hang_up()
        second = Dataplane(one, incarnation=0xA2)
        second.wait_published()
        # Publishing the node is the first script; nothing else was asked for.
        assert other.open("s", tenant="owner").status == NOT_FOUND
        assert other.open("t", tenant="owner").status == NOT_FOUND
        assert ":0" in rig.redis_ask("SCARD haul:{test}:owned:a")
        other.wait_version("s", lambda version: version == 0)


def events_of(rig):
    """(kind, name, incarnation, version) of every event, oldest first."""
    words = rig.redis_ask("XRANGE haul:{test}:events - +").split("\r\n")
    fields = [word for word in words if word[:1] not in ("*", "$")]
    events, at = [], 0
    while "kind" in fields[at:]:
        at = fields.index("kind", at)
        row = dict(zip(fields[at : at + 8 : 2], fields[at + 1 : at + 8 : 2]))
        events.append((row["kind"], row["name"], row["incarnation"], int(row["version"])))
        at += 8
    return events


def a_replacement_retires_before_it_publishes():
    """The same name, address, host and even region handles: only the incarnation is another, and it decides."""
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        first = Dataplane(one).wait_published()
        first.publish("s", readers="*")
        first.publish("t")
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        assert opener.open("s", tenant="guest").status == OK
        first.hang_up()
        second = Dataplane(one, incarnation=0xA2).wait_published()
        assert second.publish("s", readers="*").status == OK
        old, new = "%016x" % 0xA1, "%016x" % 0xA2
        events = [event for event in events_of(rig) if event[0] != "epoch"]
        after = events[events.index(next(e for e in events if e[:2] == ("publish", "t"))) + 1 :]
        kinds = [(kind, name if kind != "node" else "", who) for kind, name, who, _ in after if name != "b"]
        assert sorted(kinds[:2]) == [("erase", "s", old), ("erase", "t", old)], kinds
        assert kinds[2:] == [("node", "", new), ("publish", "s", new)], kinds
        versions = [version for kind, name, _, version in events if name == "s"]
        assert versions == sorted(set(versions)), versions
        # Whoever had it open hears of the end of what it has, or of the new owner's; never the old pair again.
        opener.pump("news of s", lambda: any(v[2] == 0xA2 or v[1] == 0 for v in opener.versions))
        assert all(v[2] in (0, 0xA2) for v in opener.versions), opener.versions
        assert wire.DESCRIPTOR.unpack_from(opener.open_until_ok("s", tenant="guest").descriptor())[5] == 0xA2


def a_partitioned_node_that_was_replaced_is_refused():
    """It was not dead, only cut off: what it does when it is back is refused, and harms nothing of its successor."""
    with Rig() as rig:
        one, two = rig.control("one").start(), rig.control("two").start()
        first = Dataplane(one, host="boot-1").wait_published()
        first.publish("s")
        one.process.send_signal(signal.SIGSTOP)
        second = Dataplane(two, incarnation=0xA2, host="boot-2")
        second.pump("the name", lambda: second.states and second.states[-1][0] == NODE_PUBLISHED)
        version = second.publish("s", buffers=2).version
        one.process.send_signal(signal.SIGCONT)
        assert "replaced by incarnation 00000000000000a2" in first.wait_state(NODE_REFUSED)
        for answer in (first.publish("s"), first.publish("u"), first.erase("s")):
            assert answer.status in (EXISTS, STALE), (answer.status, answer.reason)
        assert one.stat("request", "taken") + one.stat("request", "replaced") == 3
        with answering(second):
            code, body = two.get("/v1/segments/s")
        assert code == 200 and body["incarnation"] == "00000000000000a2", body
        assert (int(body["version"]), len(body["buffers"])) == (version, 2), body
        beat = rig.redis_ask("HGET haul:{test}:node:a incarnation")
        assert "00000000000000a2" in beat, beat
        # Also as a dataplane that starts again on the old host: the name is held.
        first.hang_up()
        third = Dataplane(one, incarnation=0xA3, host="boot-1")
        with answering(second):
            assert "held by incarnation 00000000000000a2" in third.wait_state(NODE_REFUSED)


def redis_restored_from_an_older_file():
    """The file knows a version that is past, and a segment that was erased since: neither is believed."""
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        owner.publish("s")
        owner.publish("erased")
        rig.redis_ask("SAVE")
        assert owner.publish("s", buffers=2, least=1).version == 2
        owner.erase("erased")
        assert opener.open("s").status == OK
        opener.versions.clear()
        rig.redis_kill()
        owner.wait_state(NODE_UNKNOWN)
        rig.redis_start()
        owner.wait_published()
        opener.wait_state(NODE_PUBLISHED)
        raw = opener.open_until_ok("s").descriptor()
        assert wire.DESCRIPTOR.unpack_from(raw)[2] == 2 and wire.DESCRIPTOR.unpack_from(raw)[6] >= 2
        opener.idle(1.0)
        assert [v for v in opener.versions if v[1] == 1] == [], opener.versions
        assert opener.open("erased").status in (NOT_FOUND, UNAVAILABLE)


def both_daemons_are_pointed_at_another_server():
    """An empty one: everything is published again in the versions it had, and versions go on growing."""
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        for least, states in ((0, [ACTIVE]), (1, [ACTIVE, ACTIVE]), (2, [DRAINING, ACTIVE])):
            version = owner.publish("s", states=states, least=least).version
        assert version == 3 and opener.open("s").status == OK
        one.kill()
        two.kill()
        old, rig.redis_socket = rig.redis, os.path.join(rig.directory, "other.sock")
        rig.redis_start()
        one, two = rig.control("a").start(), rig.control("b").start()
        # As the dataplanes do with a control plane that is new: publish, and open, again.
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        assert opener.open("s").status in (NOT_FOUND, UNAVAILABLE)
        owner = Dataplane(one).wait_published()
        answer = owner.publish("s", states=[DRAINING, ACTIVE], least=3)
        assert (answer.status, answer.version) == (OK, 3), (answer.reason, answer.version)
        assert wire.DESCRIPTOR.unpack_from(opener.open_until_ok("s").descriptor())[6] == 3
        assert owner.publish("s", states=[0, ACTIVE], least=3).version == 4
        opener.wait_version("s", lambda version: version == 4)
        assert old.poll() is None


def openers_hear_of_versions():
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        owner.publish("s")
        assert opener.open("s").status == OK
        owner.publish("s", buffers=2)
        opener.wait_version("s", lambda version: version == 2)
        owner.erase("s")
        opener.wait_version("s", lambda version: version == 0)
        owner.publish("s")
        opener.wait_version("s", lambda version: version > 3)
        opener.close_segment("s")
        opener.idle(0.2)
        opener.versions.clear()
        owner.publish("s", buffers=3)
        opener.idle(0.6)
        assert opener.versions == []


def a_lost_event_is_found_by_reconciling():
    """A record that changed without an event, and one that vanished: only the comparison can see that."""
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        owner.publish("s")
        assert opener.open("s").status == OK
        owner.hang_up()
        rig.redis_ask("HSET haul:{test}:segment:s version 00000000000000000077")
        opener.wait_version("s", lambda version: version == 77)
        rig.redis_ask("HSET haul:{test}:segment:s version nonsense")
        opener.idle(0.6)
        assert opener.versions[-1][1] == 77, "a malformed record must not replace what is known"
        rig.redis_ask("DEL haul:{test}:segment:s")
        opener.wait_version("s", lambda version: version == 0)


def grants_are_enforced():
    with Rig() as rig:
        data = Dataplane(rig.control().start()).wait_published()
        data.publish("s", readers="guest,friend", writers="friend")
        data.publish("t", readers="*")
        assert data.open("s", READ | WRITE, "owner").status == OK
        assert data.open("s", READ, "guest").status == OK
        assert data.open("s", READ | WRITE, "friend").status == OK
        answer = data.open("s", READ | WRITE, "guest")
        assert answer.status == DENIED
        assert answer.reason == "segment s: tenant guest has not been granted the right to write", answer.reason
        assert data.open("s", READ, "stranger").status == DENIED
        assert data.open("t", READ, "stranger").status == OK
        assert data.open("t", WRITE, "stranger").status == DENIED


def each_right_has_a_key_of_its_own():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        data.publish("s", readers="guest")
        key = rig.redis_ask("HGET haul:{test}:segment:s key")
        assert key.split()[-1] == wire.KEY.hex(), key
        for rights, tenant in ((READ, "guest"), (READ, "owner"), (WRITE, "owner"), (READ | WRITE, "owner")):
            fields = wire.DESCRIPTOR.unpack_from(data.open("s", rights, tenant).descriptor())
            wanted = hmac.digest(wire.KEY, b"haul segment right\0" + bytes([rights]), "sha256")[:16]
            assert (fields[4], fields[8], fields[10]) == (rights, 7, wanted), fields
        with answering(data):
            for path in ("/v1/segments", "/v1/segments/s", "/v1/status"):
                code, body = control.get(path)
                assert code == 200 and "key" not in json.dumps(body), body


def another_nodes_segment_is_not_taken():
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        Dataplane(one).wait_published().publish("s")
        other = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        answer = other.publish("s")
        assert (answer.status, answer.reason) == (EXISTS, "segment s belongs to node a")
        assert other.erase("s").status == EXISTS
        assert other.erase("nothing").status == NOT_FOUND
        assert (two.stat("request", "taken"), two.stat("request", "absent")) == (2, 1)


def redis_absent_at_start():
    with Rig(redis=False) as rig:
        control = rig.control().start()
        data = timed(Dataplane, control)
        assert data.wait_state(NODE_UNKNOWN).startswith("redis at unix:" + rig.redis_socket[:20])
        answer = timed(data.publish, "s")
        assert answer.status == UNAVAILABLE and "cannot be reached" in answer.reason, answer.reason
        assert timed(data.open, "s").status == UNAVAILABLE
        assert control.get("/healthz")[0] == 503
        assert control.get("/v1/nodes")[0] == 503
        rig.redis_start()
        data.wait_published()
        assert data.publish("s").status == OK
        wait_for("health", lambda: control.get("/healthz")[0] == 200 or data.idle(0.1))


def redis_killed_and_started_empty():
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        version = owner.publish("s", least=5).version
        assert opener.open("s").status == OK
        rig.redis_kill()
        owner.wait_state(NODE_UNKNOWN)
        answer = timed(owner.publish, "t")
        assert answer.status == UNAVAILABLE and "since" in answer.reason, answer.reason
        opener.versions.clear()
        rig.redis_start()
        owner.wait_published()
        opener.wait_published()
        assert opener.open_until_ok("s").status == OK
        opener.idle(1.0)
        # Its owner has published it again in the version it had, so nobody has to do anything.
        assert [v for v in opener.versions if v[1] != version] == [], opener.versions
        # What was refused before must not have come to life.
        assert opener.open("nothing").status in (NOT_FOUND, UNAVAILABLE)


def redis_paused():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        data.publish("s")
        rig.redis_pause()
        answer = timed(data.open, "s")
        assert answer.status == UNAVAILABLE and "does not answer" in answer.reason, answer.reason
        answer = timed(data.publish, "t")
        assert answer.status == UNAVAILABLE, answer.reason
        assert timed(data.erase, "s").status == UNAVAILABLE
        assert timed(control.get, "/v1/segments/s")[0] == 503
        assert control.status()["redis"]["state"] != "ready"
        rig.redis_continue()
        data.wait_state(NODE_PUBLISHED)
        # The publication that was refused is not there, the erasure that was asked for has happened.
        wait_for("t to be gone", lambda: data.open("t").status == NOT_FOUND)
        wait_for("s to be gone", lambda: data.open("s").status == NOT_FOUND)
        assert data.publish("t").status == OK


def a_paused_redis_declares_nobody_dead():
    with Rig() as rig:
        times = {"suspect_ms": 1500, "dead_ms": 1000}
        one, two = rig.control("a", **times).start(), rig.control("b", **times).start()
        both = [Dataplane(one).wait_published(), Dataplane(two, node="b", incarnation=0xB1).wait_published()]

        def states():
            for data in both:
                data.idle(0.02)
            code, body = one.get("/v1/nodes")
            return {node["name"]: node["state"] for node in body["nodes"]} if code == 200 else {}

        wait_for("both alive", lambda: states() == {"a": "alive", "b": "alive"})
        rig.redis_pause()
        for data in both:
            data.idle(1.5)
        rig.redis_continue()
        end = time.monotonic() + 3
        seen = set()
        while time.monotonic() < end:
            seen.update(states().values())
        assert seen <= {"alive", "unknown"}, seen
        both[1].answers_pings = False
        wait_for("b dead", lambda: states() == {"a": "alive", "b": "dead"})


def redis_restarted_with_its_data():
    """Records of an older epoch are not believed until their owner has written them again."""
    with Rig(redis=False) as rig:
        rig.redis_start("--appendonly", "yes")
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        assert owner.publish("s").version == 1
        one.kill()
        rig.redis.terminate()
        rig.redis.wait()
        rig.redis_start("--appendonly", "yes")
        opener.wait_state(NODE_PUBLISHED)
        wait_for("the open to be refused", lambda: opener.open("s").status == UNAVAILABLE)
        answer = opener.open("s")
        assert "has not published it since redis restarted" in answer.reason, answer.reason
        one.start()
        owner = Dataplane(one).wait_published()
        assert owner.publish("s").version == 1
        assert opener.open_until_ok("s").status == OK


def the_control_plane_restarts():
    with Rig() as rig:
        one, two = rig.control("a").start(), rig.control("b").start()
        owner = Dataplane(one).wait_published()
        opener = Dataplane(two, node="b", incarnation=0xB1).wait_published()
        assert owner.publish("s").version == 1 and owner.publish("gone").version == 1
        assert opener.open("s").status == OK
        opener.versions.clear()
        one.kill()
        one.start()
        owner = Dataplane(one).wait_published()
        assert owner.publish("s").version == 1, "the same content of the same incarnation bumps nothing"
        opener.idle(0.5)
        assert opener.versions == [], opener.versions
        # What the dataplane did not publish again goes after a grace time.
        opener_sees = opener.open("gone").status
        assert opener_sees == OK
        end = time.monotonic() + wire.PATIENCE_S
        while opener.open("gone").status != NOT_FOUND:
            owner.idle(0.1)
            assert time.monotonic() < end
        assert opener.open("s").status == OK


def an_end_in_order():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        data.publish("s")
        # The dataplane lives: its segments stay.
        assert control.terminate() == 0
        assert "version" in rig.redis_ask("HGETALL haul:{test}:segment:s")
        control.start()
        data = Dataplane(control).wait_published()
        data.publish("s")
        data.hang_up()
        assert control.terminate() == 0
        assert rig.redis_ask("HGETALL haul:{test}:segment:s").startswith("*0")
        assert "left" in rig.redis_ask("HGET haul:{test}:node:a state")
        control.start()
        rig.redis_pause()
        began = time.monotonic()
        assert control.terminate() == 0
        assert time.monotonic() - began < BOUND_S


def a_second_dataplane_is_refused_while_the_first_lives():
    with Rig() as rig:
        control = rig.control().start()
        first = Dataplane(control).wait_published()
        second = Dataplane(control, incarnation=0xA2, hello=False)
        answer = second.hello()
        assert answer.status == BUSY and "node a" in answer.reason, answer.reason
        first.hang_up()
        third = Dataplane(control, incarnation=0xA3)
        third.wait_published()


def a_name_is_held_by_another_host():
    with Rig() as rig:
        one, two = rig.control("one").start(), rig.control("two").start()
        first = Dataplane(one, host="boot-1").wait_published()
        first.publish("s")
        second = Dataplane(two, incarnation=0xA2, host="boot-2")
        reason = second.wait_state(NODE_REFUSED)
        assert "held by incarnation 00000000000000a1 of another host" in reason, reason
        answer = second.publish("t")
        assert answer.status == EXISTS, answer.reason
        # The beat moves on: the name stays taken, however long it lasts.
        for _ in range(10):
            first.idle(0.1)
            second.idle(0.02)
        assert second.states[-1][0] == NODE_REFUSED
        # The holder stands still: after suspect_ms + dead_ms the name may be taken.
        first.answers_pings = False
        end = time.monotonic() + wire.PATIENCE_S
        while second.states[-1][0] != NODE_PUBLISHED:
            first.idle(0.02)
            second.idle(0.05)
            assert time.monotonic() < end
        assert second.open("s").status == NOT_FOUND
        # It hears that it was replaced, by the event, whether it answers or not.
        assert "replaced by incarnation 00000000000000a2" in first.wait_state(NODE_REFUSED)
        assert first.publish("s").status in (EXISTS, STALE)


def a_name_is_taken_by_the_operators_word():
    with Rig() as rig:
        one = rig.control("one").start()
        first = Dataplane(one, host="boot-1").wait_published()
        first.publish("s")
        # The holder lives, and answers; the operator says that it is the other one all the same.
        two = rig.control("two").start("--replace")
        second = Dataplane(two, incarnation=0xA2, host="boot-2").wait_published()
        assert second.open("s").status == NOT_FOUND
        assert "replaced by incarnation 00000000000000a2" in first.wait_state(NODE_REFUSED)
        # Said once: when it is replaced itself it stays so, and does not take the name back.
        three = rig.control("three").start("--replace")
        third = Dataplane(three, incarnation=0xA3, host="boot-3").wait_published()
        assert "replaced by incarnation 00000000000000a3" in second.wait_state(NODE_REFUSED)
        for _ in range(10):
            third.idle(0.05)
            second.idle(0.05)
        assert third.states[-1][0] == NODE_PUBLISHED and second.states[-1][0] == NODE_REFUSED


def malformed_messages_are_refused():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control, hello=False)
        answer = data.answer(data.send(wire.PUBLISH, struct.pack("<Q64s", 0, b"s")))
        assert answer.status == INVALID and "HELLO" in answer.reason
        for body in (b"", struct.pack("<QII64s64s", 0, 1, 0, b"a", b"h") + bytes(24 * 16)):
            assert data.answer(data.send(wire.HELLO, body)).status == INVALID
        assert data.hello().status == OK
        data.wait_published()
        assert data.answer(data.send(99)).status == INVALID
        assert data.answer(data.send(wire.ERASE, b"short")).status == INVALID
        assert data.answer(data.send(wire.ERASE, struct.pack("<Q64sx", 0, b"long"))).status == INVALID
        assert data.answer(data.send(wire.ERASE, struct.pack("<Q64s", 0, b"bad name"))).status == INVALID
        assert data.answer(data.send(wire.OPEN, struct.pack("<II64s64s", 8, 0, b"s", b"t"))).status == INVALID
        assert data.answer(data.send(wire.PUBLISH, struct.pack("<Q64s", 0, b"s"))).status == INVALID
        good = wire.descriptor("s", "a", data.incarnation)
        for bad in (good[:-1], good + b"x", b"x", wire.descriptor("t", "a", data.incarnation),
                    wire.descriptor("s", "b", data.incarnation), wire.descriptor("s", "a", 5)):  # fmt: skip
            answer = data.answer(data.send(wire.PUBLISH, struct.pack("<Q64s", 0, b"s"), wire.sealed(bad)))
            assert answer.status == INVALID, answer.reason
        assert data.publish("s").status == OK
        assert control.stat("door", "malformed") == 12


def noise_does_no_harm():
    """Random messages from the dataplane and random requests over HTTP: refused, counted, and life goes on."""
    seed = int(os.environ.get("HAUL_SEED", time.time_ns()))
    print("HAUL_SEED=%d" % seed, flush=True)
    dice = random.Random(seed)
    with Rig() as rig:
        control = rig.control().start()
        for _ in range(8):
            data = Dataplane(control).wait_published()
            for _ in range(200):
                body = dice.randbytes(dice.choice((0, 8, 72, 136, 200, 1000)))
                fd = wire.sealed(dice.randbytes(600)) if dice.random() < 0.2 else None
                try:
                    data.send(dice.choice((*range(1, 12), 0x8008, 0x8009, dice.randrange(1 << 16))), body, fd)
                except (ConnectionError, BlockingIOError):
                    break
                data.receive(0)
            data.send(wire.PING, magic=dice.randrange(1 << 32))
            data.hang_up()
        for _ in range(100):
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(control.http_socket)
                    connection.sendall(dice.choice((b"", b"GET ", b"GET /v1/segments/")) + dice.randbytes(300))
                    connection.sendall(b" HTTP/1.1\r\n\r\n")
            except ConnectionError:
                pass
        data = Dataplane(control).wait_published()
        assert data.publish("s").status == OK
        assert control.stat("door", "malformed") > 0


def a_redis_that_talks_nonsense():
    """Whatever is at the other end of the socket, waits stay bounded, and a real Redis is found when it comes."""
    seed = int(os.environ.get("HAUL_SEED", time.time_ns()))
    print("HAUL_SEED=%d" % seed, flush=True)
    dice = random.Random(seed)
    answers = [
        b"+OK\r\n", b"-ERR no\r\n", b":1\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"$3\r\nabc\r\n", b"junk",
        b"*2\r\n$2\r\nOK\r\n:5\r\n", b"$99999999999\r\n", b"*1000000\r\n", b"*1\r\n*1\r\n*1\r\n", b"-NOAUTH\r\n",
        b"$120\r\nrun_id:x\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n",
    ]  # fmt: skip
    info = b"run_id:abc\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"
    answers += [b"+PONG\r\n", b"$%d\r\n%s\r\n" % (len(info), info)] * 6
    with Rig(redis=False) as rig:
        stop = threading.Event()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(rig.redis_socket)
        listener.listen(16)
        listener.settimeout(0.1)

        def speak():
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except socket.timeout:
                    continue
                with connection:
                    connection.settimeout(0.2)
                    try:
                        while connection.recv(1 << 20) and not stop.is_set():
                            connection.sendall(b"".join(dice.choices(answers, k=dice.randrange(1, 4))))
                    except OSError:
                        pass

        thread = threading.Thread(target=speak)
        thread.start()
        control = rig.control(beat_ms=20).start()
        data = Dataplane(control)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert timed(data.open, "s").status != OK
            assert timed(control.get, "/v1/segments")[0] != 200
        stop.set()
        thread.join()
        listener.close()
        os.unlink(rig.redis_socket)
        rig.redis_start()
        data.wait_published()
        assert data.publish("s").status == OK


def another_version_is_refused_with_both_named():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control, hello=False)
        answer = data.hello(version=7)
        assert answer.status == VERSION_ERROR
        assert "version 7" in answer.reason and "version 1" in answer.reason, answer.reason
        data.idle(1.0)
        assert data.closed
        Dataplane(control).wait_published()


def many_requests_and_a_dataplane_that_does_not_read():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        requests = [data.publish_send("s%d" % i) for i in range(500)]
        assert all(data.answer(request).status == OK for request in requests)
        body = control.get("/v1/segments")[1]
        assert len(body["segments"]) == 500 and not body["truncated"]
        assert [s["name"] for s in body["segments"]] == sorted("s%d" % i for i in range(500))
        # Everything again after a loss, in one go.
        rig.redis_ask("FLUSHALL")
        wait_for(
            "all again",
            lambda: control.status()["segments_doubtful"] == 0
            and len((control.get("/v1/segments")[1] or {}).get("segments", [])) == 500,
        )


def http_answers():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        data.publish("dir/s", buffers=2, readers="*")
        with answering(data):
            status = control.status()
            assert status["node"] == "a" and status["node_state"] == "published" and status["channels"] == 0, status
            assert [node["name"] for node in status["nodes"]] == ["a"], status
            wait_for("health", lambda: control.get("/healthz")[0] == 200)
            checks = {check["name"]: check["state"] for check in control.get("/v1/doctor")[1]["checks"]}
            assert checks == {"redis": "ok", "dataplane": "ok", "node": "ok", "counters": "warn"}, checks
            code, body = control.get("/v1/segments/dir/s")
            assert code == 200 and body["version"] == "1" and len(body["buffers"]) == 2
            assert body["owner"]["name"] == "a" and body["addresses"] == ["udp 10.0.0.1:4791"]
            node = control.get("/v1/nodes")[1]["nodes"][0]
            assert node["incarnation"] == "00000000000000a1" and node["self"] and node["segments"] == 1
            assert control.get("/v1/segments")[1]["segments"][0]["buffers"] == 2


def http_refuses():
    with Rig() as rig:
        control = rig.control().start()
        # Until the data set is open, absence cannot be told: that is 503, and another answer than 404.
        wait_for("an answer from Redis", lambda: control.get("/v1/segments/nothing")[0] == 404)
        assert control.get("/v1/segments/bad%20name")[0] == 400
        for path in ("/nothing", "/v1/", "/v1/segmentsx", "/../etc/passwd"):
            assert control.get(path)[0] == 404, path
        assert control.get("/v1/status", "POST")[0] == 405
        assert control.get("/v1/status", "DELETE")[0] == 405
        assert control.get("/v1/status", "HEAD") == (200, None)
        assert control.get("/v1/status", headers={"X": "y" * 20000})[0] == 400
        try:
            assert control.get("/v1/status", "GET", body="x" * 20000)[0] in (400, 413)
        except ConnectionError:
            pass  # refused before all of it was sent
        assert control.get("/v1/status")[0] == 200


def tables_come_from_the_dataplane():
    with Rig() as rig:
        control = rig.control().start()
        assert control.get("/v1/peers")[0] == 503
        data = Dataplane(control).wait_published()
        data.rows = [wire.PEER_ROW.pack(b"b", b"udp", b"ready", 0xB1, 0, 5, 17, 1, 2**63 + 1, 3, 4, 1500, 9, 50, b"swift", b"wire 10.0.0.2")]
        with answering(data):
            code, body = control.get("/v1/peers")
            assert code == 200, body
            assert body["peers"][0]["node"] == "b" and body["peers"][0]["bytes_out"] == str(2**63 + 1)
            data.rows = [wire.OPENING_ROW.pack(b"s", b"b", b"guest", b"stale", b"UNAVAILABLE", 0xB1, 1, 3, 4, 9, 1, 7, 1, 2, 3, 4)]
            code, body = control.get("/v1/openings")
            assert code == 200, body
            row = body["openings"][0]
            assert (row["segment"], row["rights"], row["version_cached"], row["version_seen"]) == ("s", "read", "3", "4"), row
            assert (row["state"], row["failed"], row["last_failure"]) == ("stale", "10", "UNAVAILABLE"), row
            data.rows = [b"x" * 8]
            code, body = control.get("/v1/peers")
            assert code == 500 and "rows of 8 bytes" in body["reason"], body
        # One that never comes is not waited for.
        assert timed(control.get, "/v1/channels")[0] == 503


def main():
    wire.run(
        [
            publish_open_erase,
            the_same_content_bumps_nothing,
            buffers_go_through_their_states,
            illegal_transitions_are_refused,
            a_drain_that_was_not_published_is_taken_back,
            what_was_answered_too_late_is_taken_back,
            versions_only_grow,
            a_new_incarnation_retires_the_old_ones_segments,
            a_replacement_retires_before_it_publishes,
            a_partitioned_node_that_was_replaced_is_refused,
            redis_restored_from_an_older_file,
            both_daemons_are_pointed_at_another_server,
            openers_hear_of_versions,
            a_lost_event_is_found_by_reconciling,
            grants_are_enforced,
            each_right_has_a_key_of_its_own,
            another_nodes_segment_is_not_taken,
            redis_absent_at_start,
            redis_killed_and_started_empty,
            redis_paused,
            a_paused_redis_declares_nobody_dead,
            redis_restarted_with_its_data,
            the_control_plane_restarts,
            an_end_in_order,
            a_second_dataplane_is_refused_while_the_first_lives,
            a_name_is_held_by_another_host,
            a_name_is_taken_by_the_operators_word,
            malformed_messages_are_refused,
            noise_does_no_harm,
            a_redis_that_talks_nonsense,
            another_version_is_refused_with_both_named,
            many_requests_and_a_dataplane_that_does_not_read,
            http_answers,
            http_refuses,
            tables_come_from_the_dataplane,
        ]
    )


if __name__ == "__main__":
    main()
