/* The rules that can be broken, with their sections. */
#include <stdarg.h>
#include <stdio.h>

#include "outcomes.h"

static const char *const rule_texts[RULE_COUNT] = {
    [RULE_NONE] = "nothing is broken",
    [RULE_MOVE] = "9293 3.3.2: figure 5 has no such move",
    [RULE_STATE] = "9293 3.10: the event does not lead to this state",
    [RULE_SND_UNA] = "9293 3.10.7.4 fifth: SND.UNA moves to an acceptable SEG.ACK, and no further",
    [RULE_RCV_NXT] = "9293 3.10.7.4 seventh: RCV.NXT moves over what has arrived in the window",
    [RULE_SND_WND] = "9293 3.10.7.4 fifth: SND.WND is that of the newest segment",
    [RULE_RCV_UP] = "9293 3.10.7.4 sixth: RCV.UP is the furthest that SEG.UP has led to",
    [RULE_ACK_LACKS] = "9293 3.10.7.4: an acknowledgment is due in reply",
    [RULE_REPLY] = "9293 3.10.7: nothing may be sent in reply",
    [RULE_RESET_LACKS] = "9293 3.5.2, 3.10.5: a reset is due",
    [RULE_RESET_NUMBERS] = "9293 3.10.7.1: a reset has the numbers that its receiver accepts",
    [RULE_RESET] = "9293 3.5.2: a reset is not to be sent now",
    [RULE_ERROR] = "9293 3.6 MUST-12: the user is told how the connection ended",
    [RULE_QUIET] = "9293 3.10.8: in this state nothing is sent by itself",
    [RULE_SYN] = "9293 3.5: a SYN belongs to the handshake, at ISS",
    [RULE_ACK_BIT] = "9293 3.1: once a connection is established the ACK is always sent",
    [RULE_ACK] = "9293 3.4: SEG.ACK is RCV.NXT",
    [RULE_SEQ] = "9293 3.10.7.4: an acknowledgment without text has SEQ=SND.NXT",
    [RULE_SKIP] = "9293 3.4: sequence numbers follow each other",
    [RULE_ACKED_AGAIN] = "9293 3.8.1: only what is not acknowledged is sent again",
    [RULE_UNWRITTEN] = "9293 3.10.2: text is what the user has sent, after the handshake",
    [RULE_TEXT] = "9293 3.4: an octet keeps its sequence number",
    [RULE_WINDOW] = "9293 3.8.6: new text stays in the peer's window, a probe apart",
    [RULE_FIN] = "9293 3.10.4: the FIN follows the last octet, after CLOSE",
    [RULE_SIZE] = "9293 3.7.1 MUST-16: a segment fits the peer's MSS, options counted",
    [RULE_EDGE] = "9293 3.8.6 SHLD-14: the right edge of the window does not move left",
    [RULE_SYN_OPTIONS] = "9293 3.2 MUST-65, RFC 7323 2.2: options of a SYN, and only as agreed",
    [RULE_TIMESTAMP_LACKS] = "RFC 7323 3.2: once agreed each segment has timestamps",
    [RULE_TIMESTAMP] = "RFC 7323 3.2: no timestamps unless agreed",
    [RULE_TSVAL] = "RFC 7323 4.1: TSval does not go back",
    [RULE_TSECR] = "RFC 7323 4.3: TSecr is TS.Recent",
    [RULE_SACK] = "RFC 2018 3: a block holds what has arrived",
    [RULE_URGENT] = "9293 3.8.5 MUST-62: the urgent pointer leads behind urgent data",
    [RULE_REOPEN] = "9293 3.6.1 MAY-2: the next ISS is larger than all that was used",
    [RULE_SND_NXT] = "9293 3.3.1: SND.NXT is one behind what was sent",
    [RULE_DELAYED_ACK] = "9293 3.8.6.3 MUST-40: an ACK waits less than half a second",
    [RULE_TIME_WAIT_SHORT] = "9293 3.6.1 MUST-13: TIME-WAIT lasts 2 MSL",
    [RULE_TIME_WAIT_LONG] = "9293 3.10.8: TIME-WAIT ends after 2 MSL",
    [RULE_SILENCE] = "9293 3.8.1, 3.8.6.1 MUST-36: what waits is sent again, or probed for",
    [RULE_GIVES_UP] = "9293 3.8.3 SHLD-11, MUST-23, MUST-37: R2 has not passed",
    [RULE_RECEIVED] = "9293 3.10.3: the user gets the peer's stream, octet by octet",
    [RULE_CALL] = "9293 3.10.2, 3.10.4: the call is answered as its state demands",
};

const char *model_rule_text(enum model_rule rule)
{
    return rule_texts[rule];
}

void model_complain(struct model *m, enum model_rule rule, const char *format, ...)
{
    va_list args;

    if (m->broken != RULE_NONE)
        return;
    m->broken = rule;
    va_start(args, format);
    vsnprintf(m->why, sizeof m->why, format, args);
    va_end(args);
}
