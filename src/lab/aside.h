/* lab/aside.h - folders that are written aside and moved to their place when whole. Layer 10.
 * A process that is killed leaves its folder behind under a name that nothing looks at; the next one that writes there
 * removes it. Whether the writer still lives is told by a lock on the folder, which the system drops with the process.
 */
#ifndef WF_LAB_ASIDE_H
#define WF_LAB_ASIDE_H
#include "lab/handle.h"

typedef struct wf_aside {
    char *path;
    int lock;
} wf_aside;

/* An empty folder next to the place of `name` in "bases", "tasks" or "models". */
wf_status wfi_aside_open(wf_lab *lab, const char *folder, const char *name, wf_aside *out, wf_err *err);
void wfi_aside_close(wf_aside *a); /* removes the folder unless it was moved */
/* Removes a stored folder: renamed first, so that no half of it stands under its name. `relative` to the lab. */
wf_status wfi_aside_remove(wf_lab *lab, const char *relative, wf_err *err);
#endif
