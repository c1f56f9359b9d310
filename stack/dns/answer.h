/* What a response says about the name that was asked for. */
#ifndef TUNTCP_DNS_ANSWER_H
#define TUNTCP_DNS_ANSWER_H

#include "dns.h"

enum dns_verdict {
    DNS_VERDICT_ADDRESSES,  /* here they are */
    DNS_VERDICT_ALIAS,      /* only an alias: ask for answer->canonical_name */
    DNS_VERDICT_NO_NAME,    /* NXDOMAIN */
    DNS_VERDICT_NO_ADDRESS, /* NODATA, RFC 2308 2.2 */
    DNS_VERDICT_NO_USE,     /* the server cannot or will not say, or talks nonsense */
};

/* Read `message`, the response to a question for the addresses of `name`. *answer gets addresses,
 * canonical name and, for every verdict but NO_USE, the time that it may be kept (0: not at all).
 */
enum dns_verdict dns_answer_read(const struct dns_message *message, const char *name,
                                 const struct dns_config *config, struct dns_answer *answer);

#endif
