#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Goal: the control plane keeps its promises to its dataplane whatever Redis and either daemon do. Method: the real
haul-controlplane and a private redis-server; the dataplane is played by the test, which sees every message.
"""

import time

import control_rig as rig_module
from control_rig import DENIED, EXISTS, INVALID, NOT_FOUND, OK, UNAVAILABLE, VERSION_ERROR
from control_rig import NODE_PUBLISHED, NODE_REFUSED, NODE_UNKNOWN, READ, WRITE
from control_rig import Dataplane, Rig, wait_for

# Redis is given 700 ms; whatever waits for it must be over well before this.
BOUND_S = 5.0


def publish_and_open():
    with Rig() as rig:
        control = rig.control().start()
        data = Dataplane(control).wait_published()
        assert data.publish("s", buffers=2).version == 1
        answer = data.open("s", READ | WRITE)
        assert answer.status == OK, answer.reason
        raw = answer.descriptor()
        assert rig_module.DESCRIPTOR.unpack_from(raw)[4] == READ | WRITE
        assert rig_module.DESCRIPTOR.unpack_from(raw)[6] == 1
        assert data.erase("s").status == OK
        assert data.open("s").status == NOT_FOUND
        assert data.publish("s").version > 2


def main():
    rig_module.run([publish_and_open])


if __name__ == "__main__":
    main()
