/* Any bytes as what a TUN device with a virtio header brings: what is not dropped goes together,
 * its pieces are the whole, and the stack survives it. */
#include "../../stack/stack.h"
#include "../../tun/segments.h"
#include "../../tun/virtio.h"

#include "fuzz.h"

static uint64_t draw(void *context)
{
    return ++*(uint64_t *)context;
}

static void check_pieces(const struct packet_in *in)
{
    static uint8_t memory[SEGMENT_MAX_BYTES];
    struct segments segments;
    size_t total = 0, len;

    segments_of_in(&segments, in);
    while ((len = segments_next(&segments, memory)) > 0) {
        HOLDS(len >= segments.header_bytes);
        total += len - segments.header_bytes;
    }
    HOLDS(in->bytes.len == 0 || total + segments.header_bytes == in->bytes.len);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    uint64_t random_state = 0;
    struct stack_config config;
    struct packet_in in;
    struct packet_out out;

    if (len > UINT16_MAX)
        return 0;
    virtio_header_read((struct bytes){data, len}, &in);
    HOLDS(in.bytes.len == (len < VIRTIO_HEADER_BYTES ? 0 : len - VIRTIO_HEADER_BYTES));
    if (in.drop == DROP_NOT && in.checksum_needed)
        HOLDS(in.checksum_ok && in.checksum_start + in.checksum_offset + 2 <= in.bytes.len);
    check_pieces(&in);

    stack_config_init(&config);
    config.address[0] = ip_addr_from_v4(0x0a000002);
    config.address_count = 1;
    config.random = draw;
    config.random_context = &random_state;
    struct stack *stack = stack_new(&config, 0);
    HOLDS(stack != NULL);
    HOLDS(stack_input(stack, &in, 0) != DROP_NOT || in.drop == DROP_NOT);
    while (stack_output(stack, &out, 0))
        HOLDS(packet_out_bytes(&out) > 0);
    stack_free(stack);
    return 0;
}
