# SPDX-License-Identifier: GPL-2.0
"""The uverbs commands that pyverbs or rxe's provider have no way to: an I/O virtual
address of one's own choice, and registering again."""

import ctypes
import errno
import fcntl
import os
import struct

_IOCTL = 0xc0181b01             # RDMA_VERBS_IOCTL
_MANDATORY = 1
_DRIVER_RXE = 14                # enum rdma_driver_id
_OBJECT_MR = 7
_MR_DESTROY, _REG_DMABUF_MR = 1, 4
_REG_MR, _DEREG_MR, _REREG_MR = 9, 13, 11       # IB_USER_VERBS_CMD_*

REREG_PD, REREG_ACCESS = 2, 4


def _attr(attr_id, length, data):
    return struct.pack('=HHHHQ', attr_id, length, _MANDATORY, 0, data)


def _command(ctx, number, body, words):
    """One of the old commands, which are written to the device: its answer."""
    answer = ctypes.create_string_buffer(4 * words)
    body = struct.pack('=Q', ctypes.addressof(answer)) + body
    os.write(ctx.cmd_fd, struct.pack('=IHH', number, (len(body) + 8) // 4, words) + body)
    return answer.raw


class RawMR:
    """A memory region of which user space's libraries know nothing."""

    def __init__(self, ctx, handle, lkey, rkey):
        self.ctx, self.handle, self.lkey, self.rkey = ctx, handle, lkey, rkey

    def rereg(self, flags, pd, access):
        answer = _command(self.ctx, _REREG_MR, struct.pack(
            '=IIQQQII', self.handle, flags, 0, 0, 0, pd.handle, access), 2)
        self.lkey, self.rkey = struct.unpack('=II', answer)

    def close(self):
        if self.handle is None:
            return
        body = struct.pack('=I', self.handle)
        os.write(self.ctx.cmd_fd, struct.pack('=IHH', _DEREG_MR, 3, 0) + body)
        self.handle = None


def reg_mr(ctx, pd, start, length, iova, access):
    """ibv_reg_mr_iova()"""
    answer = _command(ctx, _REG_MR, struct.pack('=QQQII', start, length, iova, pd.handle,
                                                access), 3)
    return RawMR(ctx, *struct.unpack('=III', answer))


def reg_dmabuf_mr(ctx, pd, offset, length, iova, fd, access):
    """ibv_reg_dmabuf_mr() as the kernel sees it"""
    keys = (ctypes.c_uint32 * 2)()
    attrs = [_attr(0, 0, 0), _attr(1, 0, pd.handle), _attr(2, 8, offset),
             _attr(3, 8, length), _attr(4, 8, iova), _attr(5, 4, fd & 0xffffffff),
             _attr(6, 4, access), _attr(7, 4, ctypes.addressof(keys)),
             _attr(8, 4, ctypes.addressof(keys) + 4)]
    body = b''.join(attrs)
    arg = bytearray(struct.pack('=HHHHQII', 24 + len(body), _OBJECT_MR, _REG_DMABUF_MR,
                                len(attrs), 0, _DRIVER_RXE, 0) + body)
    if fcntl.ioctl(ctx.cmd_fd, _IOCTL, arg):
        raise OSError(errno.EIO, 'no status of an ioctl')
    handle = struct.unpack_from('=Q', arg, 24 + 8)[0] & 0xffffffff
    return RawMR(ctx, handle, keys[0], keys[1])
