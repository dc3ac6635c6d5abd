/* Functions that the compiler makes for several instruction sets; the best one is chosen when the program starts. */
#ifndef NB_CLONES_H
#define NB_CLONES_H

#include <features.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NB_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define NB_IS_SANITIZED 1
#endif
#endif

/* The choice is made before a sanitizer's runtime is there. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(NB_IS_SANITIZED)
#define NB_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define NB_CLONES
#endif

#endif
