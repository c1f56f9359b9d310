/* Fields of the status by name: a table of where each one lies in its structure, so that a script
 * uses the very names of the header and a new field costs one line here. The configuration's have
 * such a table in the stack (settings.h). */
#include "fields.h"

#include "../../../stack/settings.h"
#include "../../../stack/tcp/tcp.h"

#define FIELD(type, member, kind)                                                           \
    {                                                                                       \
#member, offsetof(struct type, member), sizeof(((struct type *)NULL)->member), kind \
    }
#define STATUS(member) FIELD(tcp_status, member, FIELD_NUMBER)

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
    STATUS(pacing_bytes_per_s),
    STATUS(delivery_rate_bytes_per_s),
    STATUS(in_recovery),
    STATUS(undo_count),
    FIELD(tcp_status, loss_detection, FIELD_TEXT),
    STATUS(min_rtt_us),
    STATUS(reo_wnd_us),
    STATUS(unsent_bytes),
    STATUS(sacked_bytes),
    STATUS(lost_bytes),
    STATUS(resent_bytes),
    STATUS(peer_mss_bytes),
    FIELD(tcp_status, out_of_order, FIELD_RANGES),
    STATUS(user_timeout_us),
    STATUS(remote_user_timeout_us),
    STATUS(send_buffer_bytes),
    STATUS(receive_buffer_bytes),
    STATUS(tos),
    STATUS(ttl),
    STATUS(nagle),
    STATUS(cork),
    STATUS(keepalive),
    FIELD(tcp_status, error, FIELD_ERROR),
    FIELD(tcp_status, soft_error, FIELD_ERROR),
};

const struct field *find_status_field(const char *name, bool *is_seconds)
{
    for (size_t i = 0; i < sizeof status_fields / sizeof status_fields[0]; i++)
        if (setting_is_called(status_fields[i].name, name, is_seconds))
            return &status_fields[i];
    return NULL;
}

uint64_t field_load(const void *base, const struct field *field)
{
    return setting_load_field((const char *)base + field->offset, field->size);
}
