/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's segmentation offloads of TUN devices, with the names that came
 * with Linux 6.2 where the headers are older. A kernel that does not know one
 * refuses it. */
#ifndef GWD_OFFLOAD_H
#define GWD_OFFLOAD_H

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* The struct virtio_net_hdr in front of each packet that is read from or
 * written to such a device. */
#define OFFLOAD_HEADER 10

#endif
