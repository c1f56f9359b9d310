/* A packet out, seen as one run of bytes: for a device without scatter-gather, a capture, a test.
 */
#include "packet.h"

size_t packet_out_bytes(const struct packet_out *out)
{
    return out->header_bytes + out->payload[0].len + out->payload[1].len;
}

size_t packet_out_copy(const struct packet_out *out, uint8_t *memory, size_t room)
{
    struct writer w = writer_of(memory, room);

    write_bytes(&w, (struct bytes){out->header, out->header_bytes});
    write_bytes(&w, out->payload[0]);
    write_bytes(&w, out->payload[1]);
    return w.overrun ? 0 : room - w.left;
}
