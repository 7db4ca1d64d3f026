/* lab/packs.h - packing a base's matrices, or taking them from the lab's cache as they were packed before. Layer 10. */
#ifndef WF_LAB_PACKS_H
#define WF_LAB_PACKS_H
#include "lab/handle.h"

#define WF_PACKS_LEAST ((size_t)8 << 20) /* a base with fewer bytes in its layers' matrices is packed in no time */

/* As wfi_bert_pack for forward passes, bit for bit. Packing 40 MB costs 20 ms, most of it for new memory; mapping what
 * is kept a tenth. Kept under the hash of the base, its file's size and time, the type, and the layout's form. */
wf_status wfi_packs_make(wf_open_base *base, size_t least, wf_err *err);
#endif
