/*
 * adapter.h - small files with what training changed: LayerNorms and head.
 */
#ifndef LNCLIP_VIT_ADAPTER_H
#define LNCLIP_VIT_ADAPTER_H

#include "vit/tune.h"

/* What vit_adapter_read found and did, for the user. */
typedef struct VitAdapterReport {
    int layer_norms_set; /* tensors of LayerNorms taken over */
    int layer_norms_kept; /* tensors of LayerNorms the file lacks: base values stay */
    bool head_set;
    int frozen_equal; /* other tensors in it, found equal to the base */
} VitAdapterReport;

/*
 * Sets LayerNorms and head of `vit` and `head` from a .safetensors file: native names as in a GenD file
 * ("feature_extractor.vision_model.….weight", "model.linear.{weight,bias}"), the same without prefixes,
 * "head.{weight,bias}". Any subset. All or nothing: on failure neither vit nor head has changed.
 * STATUS_FAILED for an unknown name, another width (both shapes named), a base model of another
 * fingerprint, or a frozen tensor that differs from the base. The head's kind is read from the metadata
 * ("head"), else stays as it is in *head. Call before vit_tune.
 */
Status vit_adapter_read(Vit *vit, VitHead *head, const char *path, VitAdapterReport *report,
                        Error *error);

/*
 * Writes the tensors of `tuned` under their native names, with `metadata` [metadata_count] and, added
 * here, "format", "head", "base_fingerprint", "base_arch". Atomic.
 */
Status vit_adapter_write(const Vit *vit, const VitHead *head, const VitTuned *tuned, const char *path,
                         const SafeTensorsMetadata *metadata, int metadata_count, Error *error);

/*
 * The head inside a model file (GenD): sets *head (created by the caller) and *found.
 */
Status vit_head_read(const Vit *vit, VitHead *head, bool *found, Error *error);

#endif
