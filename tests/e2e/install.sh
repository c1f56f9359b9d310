# shellcheck shell=bash
# `make install` and what is installed: the program runs, and the library serves a program elsewhere.

installed() {
    make -s -C "$root" install "DESTDIR=$PWD/stage" PREFIX=/usr >log
    stage/usr/bin/tnc --help >/dev/null
    cat >user.c <<'END'
#include <tuntcp/dns/dns.h>
#include <tuntcp/stack.h>
#include <tuntcp/tcp/tcp.h>
#include <tuntcp/udp/udp.h>

int main(void)
{
    struct stack_config config;

    stack_config_init(&config);
    return stack_new(&config, 0) == NULL ? 0 : 1; /* it lacks an address and randomness */
}
END
    "${CC:-cc}" -Wall -Werror -Istage/usr/include -o user user.c -Lstage/usr/lib -ltuntcp
    ./user
}
it "a program elsewhere compiles and links against the installed library" installed

uninstalled() {
    make -s -C "$root" install "DESTDIR=$PWD/stage" PREFIX=/usr >log
    make -s -C "$root" uninstall "DESTDIR=$PWD/stage" PREFIX=/usr >log
    assert_equal "$(find stage -type f)" ""
}
it "make uninstall removes every file that make install brought" uninstalled
