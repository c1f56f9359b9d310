/* A first-in first-out queue of connections. The links lie in the connection, so joining and
 * leaving cost O(1) and no memory, and a connection that dies can leave from the middle. It is a
 * ring of links with the queue's own between the last and the first; a link that is not in a queue
 * points nowhere. */
#ifndef TUNTCP_TCP_QUEUE_H
#define TUNTCP_TCP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct tcb;

struct queue_link {
    struct queue_link *next, *previous;
};

struct queue {
    struct queue_link head;
    size_t offset; /* of the links that it is made of, in a struct tcb */
};

static inline void queue_init(struct queue *queue, size_t offset)
{
    queue->head = (struct queue_link){&queue->head, &queue->head};
    queue->offset = offset;
}

static inline bool queue_has(const struct queue_link *link)
{
    return link->next != NULL;
}

static inline void queue_join(struct queue *queue, struct queue_link *link)
{
    if (queue_has(link))
        return;
    link->next = &queue->head;
    link->previous = queue->head.previous;
    link->previous->next = link;
    queue->head.previous = link;
}

static inline void queue_leave(struct queue_link *link)
{
    if (!queue_has(link))
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    *link = (struct queue_link){NULL, NULL};
}

/* The connection behind `link`, or NULL. */
static inline struct tcb *queue_behind(const struct queue *queue, const struct queue_link *link)
{
    struct queue_link *next = link->next;

    return next == &queue->head ? NULL : (struct tcb *)((char *)next - queue->offset);
}

/* The connection in front, or NULL. */
static inline struct tcb *queue_front(const struct queue *queue)
{
    return queue_behind(queue, &queue->head);
}

#endif
