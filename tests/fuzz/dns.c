/* Any bytes as a DNS message: bounded, terminated, and what parses survives being written again. */
#include "../../stack/wire/dns_message.h"

#include "fuzz.h"

static bool is_terminated(const struct dns_name *name)
{
    return memchr(name->text, '\0', sizeof name->text) != NULL;
}

static bool can_be_written(const struct dns_message *message)
{
    for (unsigned i = 0; i < message->record_count; i++)
        switch (message->record[i].type) {
        case DNS_TYPE_A:
        case DNS_TYPE_NS:
        case DNS_TYPE_CNAME:
        case DNS_TYPE_SOA:
            break;
        default:
            return false;
        }
    return !message->truncated;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    static struct dns_message message, again;
    static uint8_t packet[1 << 16];

    memset(&message, 0xff, sizeof message); /* nothing may be left over from the last input */
    if (dns_parse((struct bytes){data, len}, &message) != DROP_NOT)
        return 0;
    HOLDS(message.record_count <= DNS_RECORD_MAX && message.answer_count <= message.record_count);
    HOLDS(is_terminated(&message.question));
    for (unsigned i = 0; i < message.record_count; i++)
        HOLDS(is_terminated(&message.record[i].name) && is_terminated(&message.record[i].target));
    if (!can_be_written(&message))
        return 0;
    size_t written = dns_emit(&message, packet, sizeof packet);
    HOLDS(written > 0);
    HOLDS(dns_parse((struct bytes){packet, written}, &again) == DROP_NOT);
    HOLDS(again.id == message.id && again.rcode == message.rcode);
    HOLDS(again.record_count == message.record_count);
    HOLDS(dns_name_equal(again.question.text, message.question.text));
    for (unsigned i = 0; i < again.record_count; i++)
        HOLDS(dns_name_equal(again.record[i].name.text, message.record[i].name.text));
    return 0;
}
