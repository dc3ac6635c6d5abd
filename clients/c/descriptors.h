/*
 * Descriptors that the broker sends with a session's bytes. An answer names one by its number in the order of their
 * coming, from 0; each has come when its answer has.
 */
#ifndef NBC_DESCRIPTORS_H
#define NBC_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { NBC_HELD = 16 };

struct nbc_descriptors {
    uint64_t received; /* so far */
    int held
        [NBC_HELD]; /* the last ones, by number modulo NBC_HELD: -1 when it was taken, or lost on the way */
};

void nbc_descriptors_init(struct nbc_descriptors *descriptors);
/* As recv() with MSG_DONTWAIT; keeps what descriptors come along, with close-on-exec, at the cost of the oldest. */
ssize_t nbc_descriptors_receive(struct nbc_descriptors *descriptors, int fd, void *bytes, size_t size);
/* Gives out the descriptor of that number; the caller owns it. -EMFILE: this process had no room for it. */
int nbc_descriptors_take(struct nbc_descriptors *descriptors, uint64_t number);
/* Closes what nobody took. */
void nbc_descriptors_finish(struct nbc_descriptors *descriptors);

#endif
