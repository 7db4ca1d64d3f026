/* joint/weighing.h - how the losses, or the gradients, of tasks that are trained together become one. Layer 4.
 * A method is a `const wf_weighing_method` in its own file, listed in weighing.inc. The trainer multiplies each batch's
 * loss with the task's factor; a method that is `separate` is then shown every task's gradient by the shared parts and
 * makes the step's gradient of them. Heads always get the gradient of their own task's weighted loss. */
#ifndef WF_JOINT_WEIGHING_H
#define WF_JOINT_WEIGHING_H
#include "joint/sampling.h"

typedef struct wf_weigh_state {                  /* of a run; plain numbers, a checkpoint keeps them as they are */
    double value[WF_JOINT_TASKS];                /* what the method learns: a weight, a log variance */
    double first_loss[WF_JOINT_TASKS];           /* 0: none yet */
    double m[WF_JOINT_TASKS], v[WF_JOINT_TASKS]; /* Adam's moments of value */
    int64_t updates[WF_JOINT_TASKS];
} wf_weigh_state;

typedef struct wf_weigh_step { /* one step of the optimiser */
    size_t tasks;
    const bool *present; /* [tasks] it has batches in this step */
    const bool *squared; /* [tasks] its loss is a squared error */
    const double *loss;  /* [tasks] mean over its batches in this step, not weighted */
    const double *share; /* [tasks] of the step's batches */
    float *const
        *grad; /* separate: [tasks][total] gradient of share * factor * loss; may be changed; unset where absent */
    int64_t total;
    uint64_t key; /* random numbers of this step */
    float *out;   /* separate: [total] the step's gradient */
} wf_weigh_step;

typedef struct wf_weighing_method {
    const char *name;
    const char *number; /* as in wf_sampling_method */
    double low, high, standard;
    double start; /* of wf_weigh_state.value */
    bool separate;
    double (*factor)(const wf_weigh_state *s, size_t task, bool squared);
    wf_status (*step)(wf_weigh_state *s, double number, const wf_weigh_step *step, wf_err *err); /* NULL: nothing */
} wf_weighing_method;

typedef struct wf_weighing { /* zeroed: uniform */
    const wf_weighing_method *method;
    double number;
} wf_weighing;

/* "uniform", "uncertainty", "gradnorm[:ALPHA]", "pcgrad"; NULL: uniform. */
wf_status wfi_weighing_parse(const char *text, wf_weighing *out, wf_err *err);
const wf_weighing_method *wfi_weighing_method(const wf_weighing *w); /* never NULL */
void wfi_weigh_start(const wf_weighing *w, wf_weigh_state *out);

/* For the methods: an Adam step down the gradient, at the rate of the GradNorm paper. */
void wfi_weigh_adam(wf_weigh_state *s, size_t task, double gradient);
double wfi_weigh_dot(int64_t n, const float *a, const float *b);
#endif
