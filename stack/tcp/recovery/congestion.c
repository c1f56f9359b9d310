/* Which congestion control belongs to which name, see congestion.h. */
#include "congestion.h"

const struct congestion_ops *congestion_ops_of(enum tcp_congestion congestion)
{
    switch (congestion) {
    case TCP_CONGESTION_RENO:
        break;
    }
    return &congestion_reno;
}
