/* One character of UTF-8 after the other. */
#ifndef NB_CHARACTER_H
#define NB_CHARACTER_H

#include "slice.h"

enum { NB_REPLACEMENT = 0xfffd };

/*
 * Takes one character off the text's front; its length must not be 0. What is not valid counts as Node's decoder
 * has it: the longest start of a character, or else one byte, is one replacement character.
 */
uint32_t nb_character_take(struct nb_slice *text);

/* Writes at most four bytes; returns where they end. */
char *nb_character_put(char *out, uint32_t character);

#endif
