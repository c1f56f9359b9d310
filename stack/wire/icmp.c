/* ICMP messages, RFC 792. The second word of the header means something else for each type; it is
 * taken apart and put together here alone. */
#include "icmp.h"

#include "checksum.h"

static bool is_echo(uint8_t type)
{
    return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY;
}

enum drop icmp_parse(struct bytes packet, bool checksum_ok, struct icmp_message *icmp)
{
    struct reader r = reader_of(packet);
    struct checksum sum = {0};

    *icmp = (struct icmp_message){0};
    icmp->type = read_u8(&r);
    icmp->code = read_u8(&r);
    read_u16(&r); /* the checksum: summed below with the rest */
    uint16_t upper = read_u16(&r);
    uint16_t lower = read_u16(&r);
    if (r.overrun)
        return DROP_ICMP_TRUNCATED;
    checksum_add(&sum, packet);
    if (!checksum_ok && checksum_finish(&sum) != 0)
        return DROP_ICMP_CHECKSUM;
    if (is_echo(icmp->type)) {
        icmp->echo_id = upper;
        icmp->echo_seq = lower;
    } else if (icmp->type == ICMP_UNREACHABLE && icmp->code == ICMP_UNREACHABLE_FRAGMENTATION) {
        icmp->next_hop_mtu = lower;
    } else if (icmp->type == ICMP_PARAMETER_PROBLEM) {
        icmp->pointer = (uint8_t)(upper >> 8);
    }
    icmp->body = read_bytes(&r, r.left);
    return DROP_NOT;
}

size_t icmp_emit(const struct icmp_message *icmp, uint8_t *packet, size_t room)
{
    struct writer w = writer_of(packet, room);
    size_t message_bytes = ICMP_HEADER_BYTES + icmp->body.len;
    uint16_t upper = 0, lower = 0;

    if (message_bytes > room)
        return 0;
    if (is_echo(icmp->type)) {
        upper = icmp->echo_id;
        lower = icmp->echo_seq;
    } else if (icmp->type == ICMP_UNREACHABLE && icmp->code == ICMP_UNREACHABLE_FRAGMENTATION) {
        lower = icmp->next_hop_mtu;
    } else if (icmp->type == ICMP_PARAMETER_PROBLEM) {
        upper = (uint16_t)(icmp->pointer << 8);
    }
    write_u8(&w, icmp->type);
    write_u8(&w, icmp->code);
    struct writer checksum_field = w;
    write_u16(&w, 0);
    write_u16(&w, upper);
    write_u16(&w, lower);
    write_bytes(&w, icmp->body);

    struct checksum sum = {0};
    checksum_add(&sum, (struct bytes){packet, message_bytes});
    write_u16(&checksum_field, checksum_finish(&sum));
    return message_bytes;
}
