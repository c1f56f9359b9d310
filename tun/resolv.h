/* Which DNS servers the system uses: resolv.conf(5). */
#ifndef TUNTCP_RESOLV_H
#define TUNTCP_RESOLV_H

#include "../stack/wire/ip_addr.h"

/* Read the IPv4 `nameserver` lines of `path` (NULL: /etc/resolv.conf) into servers[0..max), and
 * return how many. 127.0.0.0/8 cannot be reached from a TUN device and is left out; where
 * 127.0.0.53 (systemd-resolved) is found its own upstream list,
 * /run/systemd/resolve/resolv.conf, is read instead. */
unsigned resolv_servers(const char *path, struct ip_addr *servers, unsigned max);
/* The same with another place for the upstream list. */
unsigned resolv_servers_from(const char *path, const char *upstream_path, struct ip_addr *servers,
                             unsigned max);

#endif
