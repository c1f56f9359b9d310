/* Fields by name: tables of where each one lies in its structure, so that a script uses the very
 * names of the headers and a new field costs one line here. */
#include "fields.h"

#include <string.h>

#include "../../../stack/tcp/tcp.h"

#define FIELD(type, member, kind)                                                           \
    {                                                                                       \
#member, offsetof(struct type, member), sizeof(((struct type *)NULL)->member), kind \
    }
#define CONFIG(member) FIELD(tcp_config, member, FIELD_NUMBER)
#define STATUS(member) FIELD(tcp_status, member, FIELD_NUMBER)

static const struct field config_fields[] = {
    CONFIG(timestamps),
    CONFIG(window_scaling),
    CONFIG(sack),
    CONFIG(ecn),
    CONFIG(nagle),
    CONFIG(syn_style),
    CONFIG(mss_clamp_bytes),
    CONFIG(send_buffer_bytes),
    CONFIG(receive_buffer_bytes),
    CONFIG(receive_buffer_max_bytes),
    CONFIG(syn_wnd),
    CONFIG(initial_window_segments),
    CONFIG(rto_initial_us),
    CONFIG(rto_min_us),
    CONFIG(rto_max_us),
    CONFIG(delayed_ack_us),
    CONFIG(r1_count),
    CONFIG(r2_us),
    CONFIG(syn_ack_r2_us),
    CONFIG(syn_r2_us),
    CONFIG(msl_us),
    CONFIG(fin_wait_2_us),
    CONFIG(path_mtu_min_bytes),
    CONFIG(path_mtu_raise_us),
    CONFIG(path_mtu_raise_again_us),
    CONFIG(black_hole_count),
    CONFIG(backlog),
    CONFIG(tos),
    CONFIG(ttl),
};

static const struct field stack_fields[] = {
    FIELD(stack_config, mtu_bytes, FIELD_NUMBER),
    FIELD(stack_config, connections_max, FIELD_NUMBER),
    FIELD(stack_config, challenge_acks_per_s, FIELD_NUMBER),
};

static const struct field status_fields[] = {
    FIELD(tcp_status, state, FIELD_STATE),
    STATUS(passive_open),
    FIELD(tcp_status, snd_una, FIELD_FROM_ISS),
    FIELD(tcp_status, snd_nxt, FIELD_FROM_ISS),
    STATUS(snd_wnd),
    FIELD(tcp_status, rcv_nxt, FIELD_FROM_IRS),
    STATUS(rcv_wnd),
    STATUS(cwnd_bytes),
    STATUS(ssthresh_bytes),
    STATUS(in_flight_bytes),
    STATUS(path_mtu_bytes),
    STATUS(snd_mss_bytes),
    STATUS(rcv_mss_bytes),
    STATUS(snd_wnd_shift),
    STATUS(rcv_wnd_shift),
    STATUS(timestamps),
    STATUS(sack),
    STATUS(window_scaling),
    STATUS(ecn),
    STATUS(rcv_tos),
    STATUS(srtt_us),
    STATUS(rttvar_us),
    STATUS(rto_us),
    STATUS(backoff_count),
    STATUS(send_queued_bytes),
    STATUS(receive_queued_bytes),
    STATUS(urgent_bytes),
    STATUS(out_of_order_ranges),
    STATUS(bytes_sent),
    STATUS(bytes_acked),
    STATUS(bytes_received),
    STATUS(segments_sent),
    STATUS(segments_received),
    STATUS(retransmit_count),
    FIELD(tcp_status, congestion_control, FIELD_TEXT),
    STATUS(in_recovery),
    FIELD(tcp_status, error, FIELD_ERROR),
    FIELD(tcp_status, soft_error, FIELD_ERROR),
};

/* The name as in the header, or without its unit; a time without its unit is in seconds. */
static bool is_called(const struct field *field, const char *name, bool *is_seconds)
{
    static const char *const units[] = {"_us", "_bytes", "_count", "_segments"};
    size_t len = strlen(name);

    *is_seconds = false;
    if (strcmp(field->name, name) == 0)
        return true;
    if (strncmp(field->name, name, len) != 0)
        return false;
    *is_seconds = strcmp(field->name + len, "_us") == 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(field->name + len, units[i]) == 0)
            return true;
    return false;
}

static const struct field *find_field(const struct field *fields, size_t count, const char *name,
                                      bool *is_seconds)
{
    for (size_t i = 0; i < count; i++)
        if (is_called(&fields[i], name, is_seconds))
            return &fields[i];
    return NULL;
}

#define FIND(fields) find_field(fields, sizeof(fields) / sizeof((fields)[0]), name, is_seconds)

const struct field *find_config_field(const char *name, bool *is_seconds)
{
    return FIND(config_fields);
}

const struct field *find_stack_field(const char *name, bool *is_seconds)
{
    return FIND(stack_fields);
}

const struct field *find_status_field(const char *name, bool *is_seconds)
{
    return FIND(status_fields);
}

uint64_t field_load(const void *base, const struct field *field)
{
    const char *at = (const char *)base + field->offset;
    uint64_t value = 0;

    switch (field->size) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)(const void *)at;
    case 4:
        return *(const uint32_t *)(const void *)at;
    default:
        memcpy(&value, at, sizeof value);
        return value;
    }
}

void field_store(void *base, const struct field *field, uint64_t value)
{
    char *at = (char *)base + field->offset;
    uint8_t byte = (uint8_t)value;
    uint16_t half = (uint16_t)value;
    uint32_t word = (uint32_t)value;

    switch (field->size) {
    case 1:
        memcpy(at, &byte, sizeof byte);
        return;
    case 2:
        memcpy(at, &half, sizeof half);
        return;
    case 4:
        memcpy(at, &word, sizeof word);
        return;
    default:
        memcpy(at, &value, sizeof value);
    }
}
