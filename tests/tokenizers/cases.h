/* tests/tokenizers/cases.h - what the differential test and tools/tokenizer_digests.py both know: the random texts, and
 * the bytes of an encoding that go into a digest. A change on one side must be made on the other. */
#ifndef WF_TESTS_TOKENIZER_CASES_H
#define WF_TESTS_TOKENIZER_CASES_H
#include "base/buffer.h"
#include "base/hash.h"
#include "tokenizers/tokenizer.h"
#include <stdbool.h>

typedef struct cases_random {
    uint64_t state;
} cases_random; /* splitmix64 */
cases_random cases_random_new(uint64_t seed);
uint32_t cases_below(cases_random *r, uint32_t n);

typedef struct cases_case {
    wf_buffer first, second;
    bool has_pair,
        odd;       /* odd: holds a character whose place the library reports differently (it reorders and keeps it) */
    size_t length; /* truncation; 0: none */
} cases_case;
/* Case number i; reuses the buffers. */
void cases_make(cases_case *c, uint64_t i);
void cases_clear(cases_case *c);

/* Count, ids, types and, with places, byte ranges, as little-endian numbers. */
void cases_digest(wf_hash *h, const wf_encoding *e, bool places);
#endif
