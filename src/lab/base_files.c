/* lab/base_files.c - see base_files.h. */
#include "lab/base_files.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/zip.h"
#include <string.h>

/* What a Hugging Face style folder offers us; the first two must be there. */
static const struct {
    const char *name;
    bool needed;
} FILES[] = {{"config.json", true},
             {"model.safetensors", true},
             {"tokenizer.json", false},
             {"vocab.txt", false},
             {"tokenizer_config.json", false},
             {"special_tokens_map.json", false},
             {"1_Pooling/config.json", false},
             {"sentence_bert_config.json", false}};
static const char what_a_base_is[] =
    "a base is a Hugging Face style folder (config.json, model.safetensors, tokenizer.json or vocab.txt)";

typedef struct origin { /* a folder, or one inside an archive */
    const char *path;
    wf_zip *zip;
    char *prefix; /* "" or "package/model/" */
} origin;

static wf_status folder_copy(const char *from, const char *to, wf_err *err) {
    wf_map map = {0};
    WF_TRY(wfi_file_map(from, &map, err));
    const wf_status st = wfi_file_write(to, map.data, map.size, err);
    wfi_file_unmap(&map);
    return st;
}

static wf_status parent_make(const char *path, wf_err *err) {
    char *folder = wfi_strndup(path, (size_t)(strrchr(path, '/') - path));
    const wf_status st = folder ? wfi_dir_make(folder, err) : wfi_fail(err, WF_E_NOMEM, "out of memory");
    wfi_free(folder);
    return st;
}

static wf_status file_bring(wf_lab *lab, const origin *o, const char *name, bool needed, const char *to, wf_err *err) {
    char *from = wfi_path_join(o->zip ? o->prefix : o->path, name), *target = wfi_path_join(to, name);
    wf_status st = from && target ? WF_OK : wfi_fail(err, WF_E_NOMEM, "out of memory");
    if (st == WF_OK && (o->zip ? wfi_zip_has(o->zip, from) : wfi_file_exists(from))) {
        const wf_progress p = {.stage = "import base", .name = name, .rate_unit = "", .seconds_left = -1};
        if (wfi_lab_tick(lab, &p, false)) st = wfi_fail(err, WF_E_CANCELLED, "cancelled");
        if (st == WF_OK) st = parent_make(target, err);
        if (st == WF_OK) st = o->zip ? wfi_zip_extract(o->zip, from, target, err) : folder_copy(from, target, err);
    } else if (st == WF_OK && needed) {
        st = wfi_fail(err, WF_E_DATA, "%s: %s is missing; %s", o->path, name, what_a_base_is);
    }
    wfi_free(from);
    wfi_free(target);
    return st;
}

/* The folder of the archive that holds both needed files; two of them are one too many. */
static wf_status prefix_find(origin *o, wf_err *err) {
    static const char weights[] = "model.safetensors";
    char *found = NULL;
    wf_status st = WF_OK;
    for (size_t i = 0; st == WF_OK && i < wfi_zip_count(o->zip); i++) {
        const char *name = wfi_zip_name(o->zip, i), *file = wfi_path_base(name);
        if (strcmp(file, weights) != 0) continue;
        char *prefix = wfi_strndup(name, (size_t)(file - name)),
             *config = prefix ? wfi_path_join(prefix, "config.json") : NULL;
        if (!config)
            st = wfi_fail(err, WF_E_NOMEM, "out of memory");
        else if (wfi_zip_has(o->zip, config) && found)
            st = wfi_fail_at(err, WF_E_DATA, o->path, -1,
                             "%s holds several models (in \"%.100s\" and \"%.100s\"); unpack it and name a folder",
                             o->path, found, prefix);
        else if (wfi_zip_has(o->zip, config))
            found = prefix, prefix = NULL;
        wfi_free(prefix);
        wfi_free(config);
    }
    if (st == WF_OK && !found)
        st = wfi_fail_at(err, WF_E_DATA, o->path, -1, "%s: there is no folder with config.json and %s in it; %s",
                         o->path, weights, what_a_base_is);
    o->prefix = found;
    return st;
}

wf_status wfi_base_files(wf_lab *lab, const char *path, const char *to, wf_err *err) {
    origin o = {.path = path};
    wf_status st = WF_OK;
    if (!wfi_dir_exists(path)) {
        WF_TRY(wfi_file_check(path, err));
        if (!wfi_zip_is(path))
            return wfi_fail_at(err, WF_E_DATA, path, -1,
                               "%s is neither a folder nor a zip archive; %s, or a zip of one", path, what_a_base_is);
        st = wfi_zip_open(path, &o.zip, err);
        if (st == WF_OK) st = prefix_find(&o, err);
    }
    for (size_t i = 0; st == WF_OK && i < sizeof FILES / sizeof *FILES; i++)
        st = file_bring(lab, &o, FILES[i].name, FILES[i].needed, to, err);
    wfi_zip_close(o.zip);
    wfi_free(o.prefix);
    return st;
}
