/*
 * explain.h - two relevance maps over the patch grid of one image.
 *
 * Attention rollout (Abnar & Zuidema, arXiv 2005.00928) traces the class token's information back
 * through attention and the residual path, with equal weights. A_l is the attention of block l,
 * averaged over its heads:
 *
 *     R = (0.5 A_L + 0.5 I) ... (0.5 A_1 + 0.5 I)
 *
 * It does not depend on the head: the map is the same for "real" and "fake".
 *
 * Gradient x attention (Chefer et al., arXiv 2103.15679) keeps only attention that increases the
 * score of a class:
 *
 *     R = (I + C_L) ... (I + C_1),   C_l = mean over heads of max(0, A_l dA_l)
 *
 * dA_l is the gradient with respect to A_l of logit(fake) - logit(real), the log-odds of fake.
 * p_fake depends only on this difference, so a single logit is not meaningful. The gradient of
 * p_fake itself would vanish for confident predictions.
 *
 * Either map is the class token's row of R without its own entry, divided by its sum. The maps show
 * what the encoder attended to, not the cause of its decision (docs/method.md).
 *
 * Tests: tests/test_explain.c.
 */
#ifndef LNCLIP_VIT_EXPLAIN_H
#define LNCLIP_VIT_EXPLAIN_H

#include "vit/head.h"

/* Working memory for one image at a time. Not thread-safe. */
typedef struct VitExplainer VitExplainer;

/* G, patches along one side of an image. A map is [G,G]. */
int vit_explain_grid(const VitConfig *config);

/*
 * Creates an explainer. `vit`, `head` and `threads` are borrowed; threads NULL: single-threaded.
 * All parameters must be frozen and the encoder must compute in f32, packed or not (asserted).
 * STATUS_FAILED: out of memory. It needs memory for the forward and backward of one image, and for
 * all attention probabilities and their gradients.
 */
Status vit_explainer_create(VitExplainer **explainer, const Vit *vit, VitHead *head,
                            Threads *threads, Error *error);

/* NULL is allowed. */
void vit_explainer_destroy(VitExplainer *explainer);

/*
 * pixels [3,S,S], normalised -> maps rollout and gradient, each NULL or [G,G], row-major. A map is
 * non-negative and sums to 1, but a gradient map is all zeros if no attention increases the
 * log-odds of fake. Without `gradient` no backward runs. The result does not depend on the number
 * of threads. Cannot fail.
 */
void vit_explain(VitExplainer *explainer, const float *pixels, float *rollout, float *gradient);

#endif
