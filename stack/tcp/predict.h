/* Header prediction (Van Jacobson 1990): the two segments that a connection at work receives nearly
 * always, an acknowledgment of new data and the next text in order, without asking what only others
 * need to be asked. */
#ifndef TUNTCP_TCP_PREDICT_H
#define TUNTCP_TCP_PREDICT_H

#include "tcb.h"

/* Process the segment if it is one of these: true, and *drop as tcp_arrives() returns it. False:
 * nothing has been done, and SEGMENT ARRIVES has to. Both leave the same behind;
 * tests/sim/predict.c and tests/fuzz/predict.c compare them. */
bool predict_arrives(struct tcb *tcb, const struct tcp_segment *seg, enum drop *drop);

#endif
