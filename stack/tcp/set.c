/* tcp_set(): the settings of a connection under way, by name.
 *
 * Connections share a configuration, the stack's or their listener's. The first change makes a copy
 * for this connection alone; what servers set on every one of theirs (nagle, cork, keepalive) lies
 * in the TCB instead and needs none. */
#include <string.h>

#include "../settings.h"
#include "layer.h"
#include "tcb.h"
#include "timeout.h"

/* The configuration as one that may be written: of this connection alone, a copy if it has been
 * shared. A listener's children that wait for their handshake keep the old one. NULL when memory is
 * short. */
static struct tcp_config *own_config(struct tcb *tcb)
{
    struct shared_config *shared = tcb->shared_config;

    if (shared != NULL && shared->holder_count == 1)
        return &shared->config;
    struct shared_config *own = shared_config_new(tcb->stack, tcb->config);
    if (own == NULL)
        return NULL;
    own->holder_count = 1;
    if (shared != NULL)
        shared->holder_count--;
    tcb->shared_config = own;
    tcb->config = &own->config;
    return &own->config;
}

static void switch_keepalive(struct tcb *tcb, bool on)
{
    if (tcb->keepalive == on) /* probes that are under way go on */
        return;
    tcb->keepalive = on;
    tcb_watch_silence(tcb);
}

static void switch_cork(struct tcb *tcb, bool on)
{
    tcb->cork = on;
    tcb->work->cork_is_over = false;
    if (!on)
        tcb_timer_clear(tcb, TIMER_CORK);
    tcb_wants_output(tcb);
}

static void switch_nagle(struct tcb *tcb, bool on)
{
    tcb->nagle = on;
    tcb_wants_output(tcb);
}

/* Those that have their place in the TCB, see there. */
static bool set_switch(struct tcb *tcb, const char *name, bool on)
{
    static const struct {
        const char *name;
        void (*set)(struct tcb *tcb, bool on);
    } switches[] = {
        {"keepalive", switch_keepalive}, {"cork", switch_cork}, {"nagle", switch_nagle}};

    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (strcmp(name, switches[i].name) != 0)
            continue;
        switches[i].set(tcb, on);
        return true;
    }
    return false;
}

/* The scale was made for the maximum that the SYN knew: more cannot be announced any more. */
static void limit_receive_buffer(struct tcb *tcb, struct tcp_config *config)
{
    uint32_t most = (uint32_t)UINT16_MAX << tcb->rcv_wnd_shift;

    if (!tcb_is_synchronized(tcb))
        return;
    if (config->receive_buffer_max_bytes > most)
        config->receive_buffer_max_bytes = most;
    if (tcb->rcv_buffer_bytes > config->receive_buffer_max_bytes)
        tcb->rcv_buffer_bytes = config->receive_buffer_max_bytes;
}

/* What a new value changes at once. Timers that run are not moved: each looks at the configuration
 * when it expires. But a time-out that would wait for longer than is left of R2 comes when R2 is
 * due. */
static void on_new_value(struct tcb *tcb, struct tcp_config *config, const char *name)
{
    bool is_r2 = strcmp(name, "r2_us") == 0;
    bool is_uto = strncmp(name, "uto", 3) == 0;

    if (is_r2)
        config->uto_changeable = false;
    tcp_config_bound(config);
    if (tcb->state == TCPS_LISTEN)
        return;
    if (is_r2 || is_uto)
        tcb->uto_now = config->uto && tcb_is_synchronized(tcb);
    limit_receive_buffer(tcb, config);
    tcp_bring_r2_forward(tcb);
    if (is_r2 || is_uto || strncmp(name, "keepalive", 9) == 0)
        tcb_watch_silence(tcb);
    tcb_notify(tcb);
    tcb_wants_output(tcb);
}

int tcp_set(struct tcb *tcb, const char *name, uint64_t value)
{
    bool in_seconds = false;
    const struct setting *setting = settings_find(name, &in_seconds);
    bool is_listener = tcb->state == TCPS_LISTEN;

    if (setting == NULL || in_seconds || !setting->of_tcp || !setting_allows(setting, value) ||
        (!setting->is_live && !is_listener))
        return TCP_ERR_INVALID;
    if (tcb->state == TCPS_CLOSED)
        return TCP_ERR_NOT_OPEN;
    if (!tcb_wake(tcb))
        return TCP_ERR_RESOURCES;
    if (set_switch(tcb, setting->name, value != 0))
        return TCP_OK;
    struct tcp_config *config = own_config(tcb);
    if (config == NULL)
        return TCP_ERR_RESOURCES;
    setting_store_tcp(setting, config, value);
    on_new_value(tcb, config, setting->name);
    return TCP_OK;
}

void tcp_set_keepalive(struct tcb *tcb, bool on)
{
    if (tcb_wake(tcb)) /* else memory is short, and there is little left to keep */
        switch_keepalive(tcb, on);
}
