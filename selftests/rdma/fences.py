# SPDX-License-Identifier: GPL-2.0
"""Memory that is out of reach for as long as we like, by fences of exporter_test's."""

import fcntl
import os
import signal

import pyverbs.enums as e

from ktap import equal
from verbs import DEVICE, until

COUNTERS = f'/sys/class/infiniband/{DEVICE}/ports/1/hw_counters/'
ET_FENCE, ET_SIGNAL = 0x450a, 0x450b    # see modules/exporter_test.h


class Busy:
    """Somebody copies the memory until we leave: a fence of the kernel's says so."""

    def __init__(self, region):
        self.fd = region.memory.fd

    def __enter__(self):
        self.node = os.open('/dev/exporter_test', os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.node, ET_FENCE, self.fd)
        return self

    def __exit__(self, *exc):
        fcntl.ioctl(self.node, ET_SIGNAL)
        os.close(self.node)


def idle():
    """Whoever made something busy was killed: its fence is nobody's now."""
    node = os.open('/dev/exporter_test', os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(node, ET_SIGNAL)
    except FileNotFoundError:
        pass
    finally:
        os.close(node)


def counter(name):
    with open(COUNTERS + name, encoding='ascii') as f:
        return int(f.read())


def nothing_yet(end):
    equal(end.cq.poll()[0], 0, 'completions')


def told_to_come_back(end, times=3):
    """Returns when the peer has been told so several times, and nothing has completed."""
    before = counter('send_rnr_err')
    until(lambda: counter('send_rnr_err') >= before + times, 'an RNR NAK')
    nothing_yet(end)


def tried_again(end):
    """There is nothing to count here: it does not complete while others do."""
    a, _ = end.world.pair()
    src, dst = end.world.random(64), end.world.region(64)
    for _ in range(50):
        a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 64), remote=(dst, 0))
        nothing_yet(end)


class Flicker:
    """Makes memory busy and idle until it is stopped: a process, because who waits for the
    memory in a page fault lets no other thread of Python run."""

    def __init__(self, *regions):
        self.regions, self.pid = regions, 0

    def run(self):
        while True:
            for region in self.regions:
                before = counter('send_rnr_err')
                with Busy(region):
                    for _ in range(200):
                        if counter('send_rnr_err') > before:
                            break
                os.sched_yield()

    def __enter__(self):
        self.pid = os.fork()
        if not self.pid:
            try:
                self.run()
            finally:
                os._exit(1)
        return self

    def __exit__(self, *exc):
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        idle()
        equal(os.waitstatus_to_exitcode(status), -signal.SIGKILL, 'end of who makes it busy')
