/* Which queue of a TUN device gets a packet from the kernel. */
#ifndef TUNTCP_STEERING_H
#define TUNTCP_STEERING_H

#include <stdbool.h>

/* From now on packets of the device behind `fd` go to the queue stack_queue(). False when the
 * kernel refuses: it wants CAP_BPF. */
bool steering_set(int fd);

#endif
