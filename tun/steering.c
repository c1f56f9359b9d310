/* Without a rule of ours the kernel gives a packet to the queue through which it has last heard of
 * its connection, and forgets that after three seconds; what it has not heard of it spreads by a
 * secret hash. For connections that it opens this is enough: their packets stay where the hash has
 * put the first. For ours it is not. It answers a SYN before it has taken note of where that came
 * from, so with two queues every second SYN,ACK goes to a stack that knows nothing of it and resets
 * the connection, and after a pause of three seconds the same would happen to one under way.
 *
 * The rule is a program of the kernel's packet filter (eBPF), and the stack can compute the same
 * (stack_queue()): the sum of the two ports decides, which is the same in both directions. It is
 * multiplied first, since Linux calls from every second port only. Of an ICMP error the ports are
 * those of the packet that it quotes. Everything else, fragments included, goes to the first queue.
 */
#include "steering.h"

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../stack/stack.h"
#include "../stack/wire/icmp.h"
#include "../stack/wire/ipv4.h"

/* The few instructions that are needed. What is loaded from the packet goes to r0; r6 must say
 * which packet. A jump skips so many instructions behind it. */
enum { R0, R1, R6 = 6, R7, R8 };

static struct bpf_insn instruction(int code, unsigned to, unsigned from, int skip, uint32_t value)
{
    return (struct bpf_insn){.code = (uint8_t)code,
                             .dst_reg = to & 0x0f,
                             .src_reg = from & 0x0f,
                             .off = (int16_t)skip,
                             .imm = (int32_t)value};
}

static struct bpf_insn load(int size, uint32_t at)
{
    return instruction(BPF_LD | BPF_ABS | size, R0, 0, 0, at);
}

static struct bpf_insn load_behind(unsigned reg, int size, uint32_t at)
{
    return instruction(BPF_LD | BPF_IND | size, R0, reg, 0, at);
}

static struct bpf_insn copy(unsigned to, unsigned from)
{
    return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

/* In 32 bits. */
static struct bpf_insn compute(int what, unsigned reg, uint32_t value)
{
    return instruction(BPF_ALU | what | BPF_K, reg, 0, 0, value);
}

static struct bpf_insn jump_if(int what, uint32_t value, int skip)
{
    return instruction(BPF_JMP | what | BPF_K, R0, 0, skip, value);
}

static struct bpf_insn end(void)
{
    return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

bool steering_set(int fd)
{
    const struct bpf_insn program[] = {
        copy(R6, R1),
        load(BPF_B, 0),
        copy(R8, R0),
        compute(BPF_AND, R0, 0xf0),
        jump_if(BPF_JNE, 0x40, 21), /* version 4 */
        compute(BPF_AND, R8, 0x0f),
        compute(BPF_LSH, R8, 2), /* r8: behind the IP header */
        load(BPF_H, 6),
        compute(BPF_AND, R0, 0x3fff),
        jump_if(BPF_JNE, 0, 16), /* a fragment */
        load(BPF_B, 9),
        jump_if(BPF_JEQ, IP_PROTOCOL_TCP, 7),
        jump_if(BPF_JEQ, IP_PROTOCOL_UDP, 6),
        jump_if(BPF_JNE, IP_PROTOCOL_ICMP, 12),
        load_behind(R8, BPF_B, 0),
        jump_if(BPF_JEQ, ICMP_UNREACHABLE, 2),
        jump_if(BPF_JEQ, ICMP_TIME_EXCEEDED, 1),
        jump_if(BPF_JNE, ICMP_PARAMETER_PROBLEM, 8),
        /* the packet that it quotes is one of ours, whose header has no options as a rule */
        compute(BPF_ADD, R8, ICMP_HEADER_BYTES + IPV4_HEADER_BYTES),
        load_behind(R8, BPF_H, 0),
        copy(R7, R0),
        load_behind(R8, BPF_H, 2),
        instruction(BPF_ALU | BPF_ADD | BPF_X, R0, R7, 0, 0),
        compute(BPF_MUL, R0, STACK_QUEUE_FACTOR),
        compute(BPF_RSH, R0, 16),
        end(),
        compute(BPF_MOV, R0, 0), /* everything else */
        end(),
    };
    union bpf_attr request;

    memset(&request, 0, sizeof request);
    request.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    request.insn_cnt = sizeof program / sizeof program[0];
    request.insns = (uint64_t)(uintptr_t)program;
    request.license = (uint64_t)(uintptr_t) "MIT";
    int filter = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &request, sizeof request);
    if (filter < 0)
        return false;
    bool is_set = ioctl(fd, TUNSETSTEERINGEBPF, &filter) == 0;
    close(filter); /* the device holds it */
    return is_set;
}
