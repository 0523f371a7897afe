/*
 * explain.h - which patches a score came from: two relevance maps over the patch grid of one image.
 *
 * Attention rollout (Abnar & Zuidema, arXiv 2005.00928) asks where the class token's information
 * comes from. With A_l the attention of block l, the mean over its heads, it follows attention and
 * the residual path in equal parts:
 *
 *     R = (0.5 A_L + 0.5 I) ... (0.5 A_1 + 0.5 I)
 *
 * It knows nothing of the head: it is the same map for "real" and for "fake".
 *
 * Gradient x attention (Chefer et al., arXiv 2103.15679) keeps of the attention what speaks for a
 * class:
 *
 *     R = (I + C_L) ... (I + C_1),   C_l = mean over heads of max(0, A_l dA_l)
 *
 * with dA_l the gradient with respect to A_l, through the tape, of logit(fake) - logit(real): the
 * log-odds of fake. p_fake is a function of that difference alone, and one logit by itself says
 * nothing; p_fake's own gradient would vanish where the model is sure.
 *
 * Either map is the class token's row of R without its own entry, divided by its sum. Both show
 * what the encoder attended to, and neither proves what it decided by: docs/method.md says more.
 */
#ifndef LNCLIP_VIT_EXPLAIN_H
#define LNCLIP_VIT_EXPLAIN_H

#include "vit/head.h"

/* Working memory for one image after another. Not for two threads at once. */
typedef struct VitExplainer VitExplainer;

/* Patches along one side of an image: a map has this many rows and columns. */
int vit_explain_grid(const VitConfig *config);

/*
 * Makes one for `vit` and `head`, which are borrowed, as are the threads (NULL: the caller's
 * alone). Nothing may train in either, and the encoder works in f32, packed or not. STATUS_FAILED
 * without memory: a forward and a backward of one image, and its attention twice over.
 */
Status vit_explainer_create(VitExplainer **explainer, const Vit *vit, VitHead *head,
                            Threads *threads, Error *error);

/* NULL is allowed. */
void vit_explainer_destroy(VitExplainer *explainer);

/*
 * pixels [3,S,S], normalised -> rollout and gradient, each NULL or [G,G], G = vit_explain_grid, in
 * row-major order: not negative, and of sum 1. A gradient map is all zeros if no attention speaks
 * for fake. Without `gradient` no backward runs. The bits do not depend on the threads. Cannot
 * fail.
 */
void vit_explain(VitExplainer *explainer, const float *pixels, float *rollout, float *gradient);

#endif
