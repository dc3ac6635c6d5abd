/*
 * A getaddrinfo of the test's own in the place of the system's, for names whose
 * addresses a test has set and for names that take as long as it wants. Any other
 * name is asked for as ever. No query leaves the machine.
 */
#ifndef NB_TEST_NAMES_H
#define NB_TEST_NAMES_H

/* The addresses of a name, separated by blanks, in their order. Static texts; at most 16 names. */
void names_set(const char *name, const char *addresses);

/* From now on lookups of names that begin with "slow" wait; they are then not found. */
void names_hold(void);
void names_release(void);

/* Waits until exactly so many lookups are being held; fails after ten seconds. */
void names_await_held(unsigned count);

/* How many lookups have been begun of names that begin so. */
unsigned names_begun(const char *prefix);

#endif
