/* Which ports are open: tnc -z. */
#ifndef TUNTCP_SCAN_H
#define TUNTCP_SCAN_H

#include "dial.h"
#include "numbers.h"

struct scan_config {
    const struct target *target; /* its first address is scanned */
    struct dial_options dial;
    bool udp;
    const struct port_range *range;
    unsigned range_count;
};

/* One port after the other. EXIT_OK if at least one is open; any other exit code after having said
 * why. */
enum exit_code scan_run(struct session *session, const struct scan_config *config);

#endif
