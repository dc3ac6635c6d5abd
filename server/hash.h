/* Hashes of numbers that clients choose: without the key, made at random at the start, nobody can make them collide. */
#ifndef NB_HASH_H
#define NB_HASH_H

#include <stdint.h>

/* Draws the process's key. Once, before the first table is made and before threads are; without it the key is zero. */
void nb_hash_draw_key(void);

/* SipHash-1-3 of the number's eight bytes. */
uint64_t nb_hash(uint64_t number);

#endif
