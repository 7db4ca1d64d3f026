/* tests/tokenizers/cases.c - see cases.h. */
#include "cases.h"
#include "check.h"
#include "tokenizers/unicode.h"

static const struct {
    uint32_t weight, low, high;
} RANGES[] = {{16, 0x61, 0x7A},      {4, 0x41, 0x5A},       {3, 0x00, 0x7F},       {4, 0x80, 0x24F},
              {4, 0x300, 0x36F},     {3, 0x370, 0x52F},     {3, 0x530, 0x1CFF},    {3, 0x1D00, 0x1FFF},
              {3, 0x2000, 0x2BFF},   {3, 0x2C00, 0xABFF},   {2, 0xAC00, 0xD7A3},   {1, 0xD7A4, 0xD7FF},
              {1, 0xE000, 0xF8FF},   {2, 0x4E00, 0x9FFF},   {2, 0xF900, 0xFFFF},   {3, 0x10000, 0x1D0FF},
              {2, 0x1D100, 0x1EFFF}, {2, 0x1F000, 0x1FAFF}, {1, 0x20000, 0x323AF}, {1, 0xE0000, 0xE01EF},
              {1, 0x1D165, 0x1D172}};
static const uint32_t SPACES[] = {0x20, 0x20,   0x20,   0x09,   0x0A,   0x0D,   0x0B,   0x85,
                                  0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x3000, 0x200B, 0xFEFF};
static const char *const LITERALS[] = {"[MASK]", "[SEP]", "[CLS]", "[UNK]",   "[PAD]", "[mask]",
                                       "##",     "ab c",  "AB  C", "\u00e9E", "xy",    " xy  "};
enum { SPACE_COUNT = sizeof SPACES / sizeof *SPACES, LITERAL_COUNT = sizeof LITERALS / sizeof *LITERALS };

/* The code points of unicode_order[] in the tokenizer's tables. */
static bool is_odd(uint32_t cp) {
    return wfi_unicode_class(cp) != 0;
}

cases_random cases_random_new(uint64_t seed) {
    return (cases_random){seed * 0x9E3779B97F4A7C15u + 0x123456789u};
}

uint32_t cases_below(cases_random *r, uint32_t n) {
    uint64_t z = r->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) % n);
}

static void put(wf_buffer *b, uint32_t cp, bool *odd) {
    char utf8[4];
    *odd = *odd || is_odd(cp);
    wfi_buffer_add(b, utf8, wfi_utf8_put(cp, utf8));
}

static void text_make(wf_buffer *b, cases_random *r, bool *odd) {
    b->len = 0;
    wfi_buffer_add(b, "", 0);
    for (uint32_t words = cases_below(r, 6); words; words--) {
        const uint32_t kind = cases_below(r, 16);
        if (kind == 0) wfi_buffer_adds(b, LITERALS[cases_below(r, LITERAL_COUNT)]);
        uint32_t length;
        if (kind == 1 && cases_below(r, 8) == 0)
            length = 90 + cases_below(r, 20);
        else
            length = cases_below(r, 9);
        const bool one = cases_below(r, 4) == 0;
        uint32_t pick = cases_below(r, 64);
        for (; length; length--) {
            if (!one) pick = cases_below(r, 64);
            size_t k = 0;
            for (uint32_t at = pick; at >= RANGES[k].weight; k++) at -= RANGES[k].weight;
            put(b, RANGES[k].low + cases_below(r, RANGES[k].high - RANGES[k].low + 1), odd);
        }
        if (cases_below(r, 4)) put(b, SPACES[cases_below(r, SPACE_COUNT)], odd);
    }
}

void cases_make(cases_case *c, uint64_t i) {
    cases_random r = cases_random_new(i);
    c->odd = false;
    c->length = 0;
    text_make(&c->first, &r, &c->odd);
    c->has_pair = cases_below(&r, 3) == 0;
    if (!c->has_pair) return;
    text_make(&c->second, &r, &c->odd);
    c->length = 3 + cases_below(&r, 30);
}

void cases_clear(cases_case *c) {
    wfi_buffer_clear(&c->first);
    wfi_buffer_clear(&c->second);
}

static void number(wf_hash *h, uint32_t x) {
    const unsigned char b[4] = {(unsigned char)x, (unsigned char)(x >> 8), (unsigned char)(x >> 16),
                                (unsigned char)(x >> 24)};
    wfi_hash_add(h, b, sizeof b);
}

void cases_digest(wf_hash *h, const wf_encoding *e, bool places) {
    number(h, (uint32_t)e->count);
    for (size_t i = 0; i < e->count; i++) number(h, (uint32_t)e->ids[i]);
    wfi_hash_add(h, e->type_ids, e->count);
    for (size_t i = 0; places && i < e->count; i++) {
        number(h, (uint32_t)e->starts[i]);
        number(h, (uint32_t)e->ends[i]);
    }
}
