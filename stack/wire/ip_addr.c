/* Addresses, see ip_addr.h. The text forms are read and written here by hand, since stack/ has
 * neither stdio nor the resolver's functions. */
#include "ip_addr.h"

#include <string.h>

bool ip_addr_is_unspecified(const struct ip_addr *addr)
{
    static const struct ip_addr zero;

    return ip_addr_equal(addr, &zero) || (ip_addr_is_v4(addr) && ip_addr_to_v4(addr) == 0);
}

bool ip_addr_is_multicast(const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) && addr->octet[12] >> 4 == 0xe;
}

bool ip_addr_is_broadcast(const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) && ip_addr_to_v4(addr) == UINT32_MAX;
}

bool ip_addr_is_valid_source(const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) && addr->octet[12] != 0 && addr->octet[12] != 127 &&
           addr->octet[12] < 224;
}

bool ip_addr_parse(const char *text, struct ip_addr *addr)
{
    uint32_t address = 0;

    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        int digit_count = 0;
        while (*text >= '0' && *text <= '9') {
            if (digit_count > 0 && value == 0) /* 010 is octal elsewhere */
                return false;
            value = value * 10 + (unsigned)(*text++ - '0');
            if (++digit_count > 3)
                return false;
        }
        if (digit_count == 0 || value > 255 || *text++ != (part < 3 ? '.' : '\0'))
            return false;
        address = address << 8 | value;
    }
    *addr = ip_addr_from_v4(address);
    return true;
}

static char *put_number(char *at, unsigned value, unsigned base)
{
    static const char digits[] = "0123456789abcdef";
    char reversed[8];
    int count = 0;

    do {
        reversed[count++] = digits[value % base];
        value /= base;
    } while (value > 0);
    while (count > 0)
        *at++ = reversed[--count];
    return at;
}

const char *ip_addr_format(const struct ip_addr *addr, char text[static IP_ADDR_TEXT_BYTES])
{
    bool is_v4 = ip_addr_is_v4(addr);
    char *at = text;

    for (int i = is_v4 ? 12 : 0; i < 16; i += is_v4 ? 1 : 2) {
        if (at != text)
            *at++ = is_v4 ? '.' : ':';
        at = is_v4 ? put_number(at, addr->octet[i], 10)
                   : put_number(at, (unsigned)(addr->octet[i] << 8 | addr->octet[i + 1]), 16);
    }
    *at = '\0';
    return text;
}
