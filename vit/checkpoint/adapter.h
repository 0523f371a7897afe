/*
 * adapter.h - adapters: small files with the trained parameters, such as LayerNorms and head.
 *
 * An adapter may change the parameters that its metadata "tune" selects; without that key, every
 * LayerNorm. Other encoder tensors in the file are frozen ones and must equal the base model's.
 * A difference means that the adapter was made for another model, and its results would be
 * meaningless.
 *
 * Tests: tests/test_vit_adapter.c, tests/test_lora.c.
 */
#ifndef LNCLIP_VIT_CHECKPOINT_ADAPTER_H
#define LNCLIP_VIT_CHECKPOINT_ADAPTER_H

#include "vit/tune.h"

/* The result of vit_adapter_read, for the user. */
typedef struct VitAdapterReport {
    int layer_norms_set;  /* LayerNorm tensors set */
    int layer_norms_kept; /* LayerNorm tensors not in the file: base values stay */
    int others_set;       /* other tensors set, as selected by "tune" */
    int weights_merged;   /* weights with parts merged into them */
    int parts_kept;       /* weights that keep parts, which cannot be merged */
    int others_kept; /* other tensors selected by "tune" but not in the file: base values stay */
    const char *first_kept; /* first of others_kept: name, borrowed from the Vit, or NULL */
    bool head_set;
    bool head_conflict; /* metadata and the config.json next to it give different head kinds */
    int frozen_equal;   /* frozen tensors in the file; all equal the base */
} VitAdapterReport;

/*
 * Applies an adapter (.safetensors): sets LayerNorms, the other parameters selected by its metadata
 * "tune", and the head. Accepted names: GenD's ("feature_extractor.vision_model.….weight",
 * "model.linear.{weight,bias}"), also without prefixes, "head.{weight,bias}", and peft's names for
 * LN-tuning. Any subset may be present. Parts of methods (part.h) are merged into their weight and
 * then cost nothing; parts that cannot be merged are kept and used.
 *
 * The head kind is taken from the metadata "head", else from a config.json next to the file, else
 * from vit->hints. `head` may be NULL if only features are needed; its kind is then not required.
 *
 * On failure neither vit nor head changes. STATUS_FAILED: unknown names (all are counted), wrong
 * shapes (both are given), another base fingerprint, a frozen tensor that differs from the base, a
 * base with other settings (metadata "base_network", "base_preprocessing"), an unknown head kind,
 * or out of memory. STATUS_USAGE: a hint that contradicts the file. vit->fingerprint remains the
 * base model's. Call before vit_tune.
 */
Status vit_adapter_read(Vit *vit, VitHead *head, const char *path, VitAdapterReport *report,
                        Error *error);

/*
 * Writes the tensors of `tuned` under their native names, with `metadata` [metadata_count]. Adds
 * the keys "format", "head", "tune", "base_fingerprint", "base_arch", "base_network" (heads,
 * activation, eps), "base_preprocessing" (size, mean, std) and the scale_key of each method
 * (part.h). If all parameters train, the file is also a complete model: "config" and
 * "preprocessor_config" are added (vit_config_format). The write is atomic, and the bytes depend
 * only on the arguments. `head` may be NULL if `tuned` has none. STATUS_FAILED: the file cannot be
 * written, or out of memory.
 */
Status vit_adapter_write(const Vit *vit, const VitHead *head, const VitTuned *tuned,
                         const char *path, const SafeTensorsMetadata *metadata, int metadata_count,
                         Error *error);

/*
 * Reads the head from the file that the model was loaded from (GenD), if it has one: sets values
 * and kind of *head, which the caller has created, and *found. STATUS_FAILED: wrong shape, weight
 * or bias missing, or a kind that is unknown or on which metadata and config.json disagree.
 * STATUS_USAGE: vit->hints contradicts them.
 */
Status vit_head_read(const Vit *vit, VitHead *head, bool *found, Error *error);

/*
 * Reads the head kind, "LinearNorm" or "linear", from a file's metadata, else from a config.json
 * next to it; "" if neither has one. *conflict (may be NULL): both have one, and they differ.
 * STATUS_FAILED for an unknown kind.
 */
Status vit_head_kind_of_file(const SafeTensors *file, char kind[16], bool *conflict, Error *error);

#endif
