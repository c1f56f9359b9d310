/* What must happen when a segment arrives: the expectations of the matrix, from the RFCs' text. */
#ifndef TUNTCP_TESTS_CELLS_RULES_H
#define TUNTCP_TESTS_CELLS_RULES_H

#include "cell.h"

/* What is sent in answer. */
enum answer {
    ANSWER_NONE,
    ANSWER_ACK,       /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, at once */
    ANSWER_ACK_LATER, /* the same, delayed (SHLD-18), below half a second (MUST-40) */
    ANSWER_ACK_SOON,  /* the same, delayed or at once */
    ANSWER_RST,       /* <SEQ=SEG.ACK><CTL=RST> */
    ANSWER_RST_ACK,   /* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> */
    ANSWER_ABORT,     /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK> */
    ANSWER_SYN_ACK,   /* <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> */
};

enum { CLAUSES_MAX = 8 };

struct reaction {
    enum answer answer;
    enum tcp_state state; /* LISTEN also for "return to LISTEN" */
    int64_t iss, snd_una, snd_nxt, rcv_nxt;
    int64_t rcv_edge; /* RCV.NXT+RCV.WND; must not move to the left */
    uint32_t readable;
    bool is_queued;      /* text waits for a hole to be filled */
    uint32_t urgent;     /* octets to be read up to the end of urgent data */
    enum tcp_err error;  /* what the user is told */
    bool restarts_2_msl; /* in TIME-WAIT */
    bool has_stamp;      /* the answer carries timestamps, and echoes: */
    int32_t ts_recent;

    const char *clause[CLAUSES_MAX]; /* of the rules that have led here */
    unsigned clause_count;
    const char *note;      /* why, where the text leaves a choice or is departed from */
    const char *elsewhere; /* what other stacks are known to do */
    uint64_t rules;        /* one bit for each rule that has led here */
};

struct reaction expected_reaction(const struct cell *cell);

int rule_count(void);
/* The clause or the note of a rule, to find it by. */
const char *rule_name(int rule);

#endif
