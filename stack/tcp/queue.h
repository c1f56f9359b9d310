/* A first-in first-out queue of connections. The links lie in the connection, so joining and
 * leaving cost O(1) and no memory, and a connection that dies can leave from the middle. */
#ifndef TUNTCP_TCP_QUEUE_H
#define TUNTCP_TCP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct tcb;

struct queue_link {
    struct queue_link *next, *previous;
    struct tcb *tcb; /* whom it belongs to */
    bool is_queued;
};

struct queue {
    struct queue_link *first, *last;
};

static inline void queue_join(struct queue *queue, struct queue_link *link)
{
    if (link->is_queued)
        return;
    link->is_queued = true;
    link->next = NULL;
    link->previous = queue->last;
    if (queue->last != NULL)
        queue->last->next = link;
    else
        queue->first = link;
    queue->last = link;
}

static inline void queue_leave(struct queue *queue, struct queue_link *link)
{
    if (!link->is_queued)
        return;
    link->is_queued = false;
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        queue->first = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
    else
        queue->last = link->previous;
}

/* The connection in front, or NULL. */
static inline struct tcb *queue_front(const struct queue *queue)
{
    return queue->first == NULL ? NULL : queue->first->tcb;
}

#endif
