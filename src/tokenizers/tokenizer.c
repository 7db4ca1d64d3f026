/* tokenizers/tokenizer.c - builds a tokenizer from the plan that settings.c read: checks it, makes the tables and the
 * hash. It must not read files or JSON. */
#include "base/alloc.h"
#include "base/error.h"
#include "tokenizers/internal.h"
#include <string.h>

static void make_ascii(wf_tokenizer *t) {
    for (uint32_t c = 0; c < 128; c++) {
        const unsigned flags = wfi_unicode_flags(&t->chars, c);
        if (t->clean_text && flags & WFI_CH_DROP)
            t->ascii[c] = WFI_ASCII_DROP;
        else if (flags & WFI_CH_SPACE)
            t->ascii[c] = WFI_ASCII_SPACE;
        else if (flags & WFI_CH_PUNCT)
            t->ascii[c] = WFI_ASCII_PUNCT;
        else
            t->ascii[c] = (uint8_t)(t->lowercase && flags & WFI_CH_LOWER ? c + ('a' - 'A') : c);
    }
}

typedef struct wf_text {
    char *data;
    size_t size, cap;
    bool failed;
} wf_text;

static void put_text(void *to, uint32_t cp, int32_t from, int32_t end) {
    (void)from, (void)end;
    wf_text *x = to;
    if (x->cap - x->size < 4) {
        char *more = x->failed ? NULL : wfi_realloc(x->data, 2 * x->cap + 64, 1);
        x->failed = !more;
        if (!more) return;
        x->data = more;
        x->cap = 2 * x->cap + 64;
    }
    x->size += wfi_utf8_put(cp, x->data + x->size);
}

/* An added token as it will be searched: with `normalized`, its text goes through the normaliser as well. */
static wf_status make_added(const wf_tokenizer *t, const wf_plan *plan, const wf_plan_added *from, wf_added *a,
                            wf_err *err) {
    wf_text x = {0};
    const size_t n = strlen(from->text);
    *a = (wf_added){.id = (int32_t)from->id,
                    .normalized = from->normalized,
                    .lstrip = from->lstrip,
                    .rstrip = from->rstrip,
                    .single_word = from->single_word,
                    .special = from->special};
    if (from->normalized) {
        wf_normal normal;
        wfi_normal_begin(&normal, t, put_text, &x);
        for (size_t i = 0; i < n;) {
            uint32_t cp = 0;
            const size_t size = wfi_utf8_get((const unsigned char *)from->text + i, n - i, &cp);
            wfi_normal_char(&normal, cp, 0, 0);
            i += size ? size : 1;
        }
        wfi_normal_end(&normal);
    } else {
        x.data = wfi_strdup(from->text);
        x.size = n;
        x.failed = !x.data;
    }
    a->text = x.data;
    a->size = x.size;
    if (x.failed) return wfi_fail(err, WF_E_NOMEM, "out of memory for the added tokens");
    if (!x.size)
        return wfi_fail_at(err, WF_E_UNSUPPORTED, "added_tokens", -1,
                           "%s: the added token \"%s\" is empty after normalisation", plan->name, from->text);
    return WF_OK;
}

/* Each added token is one of the model's, or has the next id behind them. Gives the total count of tokens. */
static wf_status count_tokens(wf_tokenizer *t, const wf_plan *plan, const char **texts, size_t *sizes, size_t *total,
                              wf_err *err) {
    size_t count = plan->count;
    for (size_t i = 0; i < plan->added_count; i++) {
        const wf_plan_added *a = &plan->added[i];
        const size_t n = strlen(a->text);
        int32_t id = wfi_vocab_find(&t->vocab, a->text, n);
        for (size_t k = plan->count; id < 0 && k < count; k++)
            if (sizes[k] == n && !memcmp(texts[k], a->text, n)) id = (int32_t)k;
        if (id < 0 && a->id == (int64_t)count) {
            texts[count] = a->text;
            sizes[count++] = n;
            id = (int32_t)a->id;
        }
        if (id != a->id)
            return wfi_fail_at(err, WF_E_DATA, "added_tokens", a->id,
                               "%s: the added token \"%s\" has id %lld; it should have its id in the vocabulary or the "
                               "next free id %zu",
                               plan->name, a->text, (long long)a->id, count);
    }
    *total = count;
    return WF_OK;
}

static wf_status make_vocab(wf_tokenizer *t, const wf_plan *plan, wf_err *err) {
    WF_TRY(
        wfi_vocab_init(&t->vocab, plan->texts, plan->sizes, plan->count, plan->count, plan->prefix, plan->name, err));
    t->words = plan->count;
    const size_t most = plan->count + plan->added_count; /* at most WFI_VOCAB_MAX + WFI_ADDED_MAX */
    const char **texts = wfi_alloc(most, sizeof *texts);
    size_t *sizes = wfi_alloc(most, sizeof *sizes), total = 0;
    wf_status st = WF_OK;
    if (texts && sizes) {
        memcpy(texts, plan->texts, plan->count * sizeof *texts);
        memcpy(sizes, plan->sizes, plan->count * sizeof *sizes);
        st = count_tokens(t, plan, texts, sizes, &total, err);
    } else {
        st = wfi_fail(err, WF_E_NOMEM, "out of memory for the vocabulary");
    }
    if (st == WF_OK && total > plan->count) {
        wfi_vocab_clear(&t->vocab);
        st = wfi_vocab_init(&t->vocab, texts, sizes, total, plan->count, plan->prefix, plan->name, err);
    }
    wfi_free(texts);
    wfi_free(sizes);
    return st;
}

static wf_status check_template(const wf_tokenizer *t, const wf_plan *plan, const wf_template *form, wf_err *err) {
    for (size_t i = 0; i < form->count; i++)
        if (form->pieces[i].text < 0 && (form->pieces[i].id < 0 || (size_t)form->pieces[i].id >= t->vocab.count))
            return wfi_fail_at(err, WF_E_DATA, "post_processor", form->pieces[i].id,
                               "%s: the post-processor adds token %d, but the vocabulary has %zu tokens", plan->name,
                               form->pieces[i].id, t->vocab.count);
    return WF_OK;
}

static void hash_number(wf_hash *h, int64_t x) {
    unsigned char b[8];
    for (int i = 0; i < 8; i++) b[i] = (unsigned char)((uint64_t)x >> (8 * i));
    wfi_hash_add(h, b, sizeof b);
}

static void hash_text(wf_hash *h, const char *text, size_t size) {
    hash_number(h, (int64_t)size);
    wfi_hash_add(h, text, size);
}

static void hash_template(wf_hash *h, const wf_template *form) {
    hash_number(h, (int64_t)form->count);
    for (size_t i = 0; i < form->count; i++) {
        hash_number(h, form->pieces[i].text);
        hash_number(h, form->pieces[i].text < 0 ? form->pieces[i].id : 0);
        hash_number(h, form->pieces[i].type_id);
    }
}

/* Everything that decides about ids, in one fixed order; added tokens in the order of their ids. */
static wf_status make_hash(wf_tokenizer *t, wf_err *err) {
    wf_hash *h = NULL;
    WF_TRY(wfi_hash_new(&h, err));
    hash_text(h, "weft wordpiece 1", 16);
    hash_number(h, t->clean_text | t->handle_chinese << 1 | t->strip_accents << 2 | t->lowercase << 3);
    hash_text(h, t->prefix, strlen(t->prefix));
    hash_number(h, t->unk);
    hash_number(h, (int64_t)t->max_chars);
    hash_number(h, (int64_t)t->words);
    hash_number(h, (int64_t)t->vocab.count);
    for (size_t i = 0; i < t->vocab.count; i++)
        hash_text(h, t->vocab.bytes + t->vocab.at[i], t->vocab.at[i + 1] - t->vocab.at[i] - 1);
    hash_number(h, (int64_t)t->added_count);
    for (size_t i = 0; i < t->added_count; i++) {
        const wf_added *a = &t->added[i];
        hash_number(h, a->id);
        hash_number(h, a->normalized | a->lstrip << 1 | a->rstrip << 2 | a->single_word << 3);
    }
    hash_template(h, &t->single);
    hash_template(h, &t->pair);
    wfi_hash_hex(h, t->hash);
    wfi_hash_free(h);
    return WF_OK;
}

static wf_status make_all_added(wf_tokenizer *t, const wf_plan *plan, wf_err *err) {
    t->added = wfi_alloc(plan->added_count, sizeof *t->added);
    if (!t->added) return wfi_fail(err, WF_E_NOMEM, "out of memory for the added tokens");
    for (size_t i = 0; i < plan->added_count; i++) {
        wf_added a = {0};
        wf_status st = make_added(t, plan, &plan->added[i], &a, err);
        size_t at = t->added_count;
        for (; at && t->added[at - 1].id > a.id; at--) t->added[at] = t->added[at - 1];
        t->added[at] = a;
        t->added_count++;
        if (st != WF_OK) return st;
        if (at && t->added[at - 1].id == a.id)
            return wfi_fail_at(err, WF_E_DATA, "added_tokens", a.id, "%s: the added token \"%s\" is there twice",
                               plan->name, plan->added[i].text);
        if (a.normalized)
            t->any_normalized = true;
        else
            t->any_raw = t->raw_first[(unsigned char)a.text[0]] = true;
    }
    return WF_OK;
}

static wf_status fill(wf_tokenizer *t, const wf_plan *plan, wf_err *err) {
    t->clean_text = plan->clean_text;
    t->handle_chinese = plan->handle_chinese;
    t->strip_accents = plan->strip_accents;
    t->lowercase = plan->lowercase;
    if (strlen(plan->prefix) > WFI_PREFIX_MAX)
        return wfi_fail_at(err, WF_E_UNSUPPORTED, "continuing_subword_prefix", -1,
                           "%s: the prefix \"%.40s\" is longer than %d bytes", plan->name, plan->prefix,
                           WFI_PREFIX_MAX);
    memcpy(t->prefix, plan->prefix, strlen(plan->prefix) + 1);
    if (!plan->max_chars || plan->max_chars > WFI_WORD_MAX)
        return wfi_fail_at(err, WF_E_UNSUPPORTED, "max_input_chars_per_word", (int64_t)plan->max_chars,
                           "%s: max_input_chars_per_word is %zu; 1 to %d are possible", plan->name, plan->max_chars,
                           WFI_WORD_MAX);
    t->max_chars = plan->max_chars;
    WF_TRY(make_vocab(t, plan, err));
    t->unk = wfi_vocab_find(&t->vocab, plan->unk, strlen(plan->unk));
    if (t->unk < 0)
        return wfi_fail_at(err, WF_E_DATA, "unk_token", -1, "%s: the unknown token \"%.80s\" is not in the vocabulary",
                           plan->name, plan->unk);
    t->single = plan->single;
    t->pair = plan->pair;
    WF_TRY(check_template(t, plan, &t->single, err));
    WF_TRY(check_template(t, plan, &t->pair, err));
    WF_TRY(wfi_unicode_init(&t->chars, err));
    make_ascii(t);
    WF_TRY(make_all_added(t, plan, err));
    return make_hash(t, err);
}

wf_status wfi_tokenizer_build(const wf_plan *plan, wf_tokenizer **out, wf_err *err) {
    wf_tokenizer *t = wfi_alloc(1, sizeof *t);
    if (!t) return wfi_fail(err, WF_E_NOMEM, "out of memory for the tokenizer");
    wf_status st = fill(t, plan, err);
    if (st == WF_OK)
        *out = t;
    else
        wfi_tokenizer_free(t);
    return st;
}

void wfi_tokenizer_free(wf_tokenizer *t) {
    if (!t) return;
    for (size_t i = 0; i < t->added_count; i++) wfi_free(t->added[i].text);
    wfi_free(t->added);
    wfi_vocab_clear(&t->vocab);
    wfi_unicode_clear(&t->chars);
    wfi_free(t);
}

size_t wfi_tokenizer_specials(const wf_tokenizer *t, bool pair) {
    return pair ? t->pair.specials : t->single.specials;
}

size_t wfi_tokenizer_vocab_size(const wf_tokenizer *t) {
    return t->vocab.count;
}

const char *wfi_tokenizer_token(const wf_tokenizer *t, int32_t id) {
    return id >= 0 && (size_t)id < t->vocab.count ? t->vocab.bytes + t->vocab.at[id] : NULL;
}

const char *wfi_tokenizer_hash(const wf_tokenizer *t) {
    return t->hash;
}
