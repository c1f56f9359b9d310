/* SipHash-2-4 against the vectors of its authors: key 00..0f, input 00, 01, 02... of each length;
 * SipHash-1-3 against the lower halves that Linux tests its own by. */
#include "../../stack/siphash.h"

#include "unit.h"

static const uint64_t vectors[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
                                   0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
                                   0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462};

static const uint32_t vectors_1_3[] = {0x050fc4dc, 0x7d57ca93, 0x4dc7d44d, 0xe7ddf7fb, 0x88d38328,
                                       0x49533b67, 0xc59f22a7, 0x9bb11140, 0x8d299a8e};

START_TEST(the_authors_vectors_come_out)
{
    const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    uint8_t input[sizeof vectors / sizeof *vectors];

    for (uint8_t i = 0; i < sizeof input; i++)
        input[i] = i;
    ck_assert_uint_eq(siphash(&key, input, (size_t)_i), vectors[_i]);
    ck_assert_uint_eq((uint32_t)siphash_1_3(&key, input, (size_t)_i), vectors_1_3[_i]);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, the_authors_vectors_come_out, 0,
                        (int)(sizeof vectors / sizeof *vectors));
}

int main(void)
{
    return unit_main("siphash", tests);
}
