/*
 * adapter.h - small files with what training changed: LayerNorms and head, or what else `tune`
 * named.
 *
 * What an adapter may change is what its metadata "tune" says, every LayerNorm if it says nothing.
 * All other encoder tensors in it are frozen ones: they must equal the base, for otherwise the
 * adapter was made for another model, and its LayerNorms alone would give results that mean
 * nothing.
 */
#ifndef LNCLIP_VIT_CHECKPOINT_ADAPTER_H
#define LNCLIP_VIT_CHECKPOINT_ADAPTER_H

#include "vit/tune.h"

/* What vit_adapter_read found and did, for the user. */
typedef struct VitAdapterReport {
    int layer_norms_set;  /* tensors of LayerNorms taken over */
    int layer_norms_kept; /* tensors of LayerNorms the file lacks: base values stay */
    int others_set;       /* other tensors taken over, which its metadata "tune" names as trained */
    int weights_merged;   /* weights that a method's parts were merged into */
    int parts_kept;       /* weights that keep parts, of methods that cannot be merged */
    int others_kept;      /* other tensors that "tune" names and the file lacks: base values stay */
    const char *first_kept; /* of these, by its name in the model; borrowed from the Vit, or NULL */
    bool head_set;
    bool
        head_disputed; /* its metadata names the head's kind; a config.json beside it another one */
    int frozen_equal;  /* other tensors in it, found equal to the base */
} VitAdapterReport;

/*
 * Sets LayerNorms and head of `vit` and `head`, and what else the metadata "tune" names, from a
 * .safetensors file: native names as in a GenD file ("feature_extractor.vision_model.….weight",
 * "model.linear.{weight,bias}"), the same without prefixes, "head.{weight,bias}", and peft's
 * LN-tuning names. Parts of methods (part.h) are merged into their weight, so that they cost
 * nothing; those of a method that cannot be merged are kept and used. Any subset. All or nothing:
 * on failure neither vit nor head has changed. STATUS_FAILED for unknown names (all counted),
 * another width (both shapes named), a base model of another fingerprint, or a frozen tensor that
 * differs from the base, a base computed or fed in another way (metadata "base_network",
 * "base_preprocessing"), a head whose kind nothing says, or out of memory. The kind is that of the
 * metadata ("head"), else of a config.json beside the file, else of vit->hints; hints that
 * contradict these are STATUS_USAGE. vit->fingerprint stays that of the base. Call before vit_tune.
 * `head` may be NULL if only features are wanted: then its kind is not asked for.
 */
Status vit_adapter_read(Vit *vit, VitHead *head, const char *path, VitAdapterReport *report,
                        Error *error);

/*
 * Writes the tensors of `tuned` under their native names, with `metadata` [metadata_count] and,
 * added here, "format", "head", "tune", "base_fingerprint", "base_arch", "base_network" (heads,
 * activation, eps) and "base_preprocessing" (size, mean, std), which no tensor tells; the scale_key
 * of each method (part.h); where everything trains "config" and "preprocessor_config", those of
 * vit_config_format, since such a file is a model, too. Atomic. The bytes depend on the arguments
 * alone. `head` may be NULL if `tuned` has none.
 */
Status vit_adapter_write(const Vit *vit, const VitHead *head, const VitTuned *tuned,
                         const char *path, const SafeTensorsMetadata *metadata, int metadata_count,
                         Error *error);

/*
 * The head inside the file a model was loaded from (GenD): sets the numbers and kind of *head
 * (created by the caller) if there is one, and *found. STATUS_FAILED for a head of another shape,
 * half a head, or one whose kind neither the metadata nor config.json nor vit->hints tells, or
 * these tell differently.
 */
Status vit_head_read(const Vit *vit, VitHead *head, bool *found, Error *error);

/*
 * Which head a file says it holds: "LinearNorm" or "linear" into `kind`, by its metadata, else a
 * config.json beside it; "" if neither says so. *disputed (may be NULL): both do, differently.
 * STATUS_FAILED for another name.
 */
Status vit_head_kind_of_file(const SafeTensors *file, char kind[16], bool *disputed, Error *error);

#endif
