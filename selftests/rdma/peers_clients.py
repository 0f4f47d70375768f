# SPDX-License-Identifier: GPL-2.0
"""Cases of peers.py: perftest between the nodes, with a dma-buf at each of them that it
maps as a file (see heapbuf.c)."""

import os
import subprocess

from ktap import check, comment
from verbs import DEVICE, LIMIT, World, until

PORT = 18515
PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'heapbuf.so')


def _listens():
    """Somebody listens to PORT. To try would be to be taken for the client."""
    with open('/proc/net/tcp', encoding='ascii') as f4, \
            open('/proc/net/tcp6', encoding='ascii') as f6:
        rows = [line.split() for line in f4.readlines()[1:] + f6.readlines()[1:]]
    return any(r[1].endswith(f':{PORT:04X}') and r[3] == '0A' for r in rows)


def _perftest(link, program, size, server):
    world = World()
    gid = world.gid
    world.close()
    command = [program, '-d', DEVICE, '-x', str(gid), '-s', str(size), '-n', '50',
               '-p', str(PORT), '--mmap=/heapbuf']
    if link.node != server:
        link.meet('listening')
        command.append(os.environ['PEER'])
    env = dict(os.environ, LD_PRELOAD=f'{PRELOAD}:{os.environ["LD_PRELOAD"]}')
    with subprocess.Popen(command, env=env, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            if link.node == server:
                until(lambda: _listens() or child.poll() is not None, 'a server')
                link.meet('listening')
            out, _ = child.communicate(timeout=LIMIT)
            good = child.returncode == 0 and 'heapbuf: 1 buffers' in out
            if not good:
                comment(out)
            check(good, f'{program} failed with {child.returncode}')
        finally:
            child.kill()
    link.meet('done')


def ib_write_bw(link, *_):
    for server in 0, 1:
        _perftest(link, 'ib_write_bw', 65536, server)


def ib_read_bw(link, *_):
    for server in 0, 1:
        _perftest(link, 'ib_read_bw', 65536, server)


def ib_send_lat(link, *_):
    for server in 0, 1:
        _perftest(link, 'ib_send_lat', 4096, server)


CASES = [
    ('ib_write_bw', ib_write_bw),
    ('ib_read_bw', ib_read_bw),
    ('ib_send_lat', ib_send_lat),
]
