/*
 * recipe_synonyms.c - see recipe_synonyms.h.
 */
#include "train/recipe_synonyms.h"

#include "tensor/base/mem.h"

#include <ctype.h>
#include <string.h>

#define NO_GPU   "lnclip computes on the CPU only, not on a GPU; --threads N limits its threads"
#define NO_SIZE  "the input size is that of the model (config.json); use another --model"
#define WEIGHTS  "give a model by --model, trained parameters or a run by --adapter"
#define DATA     "give lists to lnclip train by --train and --val, to lnclip eval as NAME=LIST"
#define FREEZING "tune=NAMES selects the trainable parameters; all others are frozen"
#define LISTS    "make lists by lnclip lists; then lnclip train --train LIST... --val LIST..."

static const TrainSynonym synonyms[] = {
    {"learning_rate", "lr", NULL},
    {"base_lr", "lr", NULL},
    {"max_lr", "lr", NULL},
    {"init_lr", "lr", NULL},
    {"eta_min", "min_lr", NULL},
    {"lr_min", "min_lr", NULL},
    {"bs", "batch_size", NULL},
    {"batch", "batch_size", NULL},
    {"batchsize", "batch_size", NULL},
    {"train_batch_size", "batch_size", NULL},
    {"per_device_train_batch_size", "batch_size", NULL},
    {"accumulate_grad_batches", "micro_batch", NULL},
    {"gradient_accumulation_steps", "micro_batch", NULL},
    {"grad_accum", "micro_batch", NULL},
    {"grad_accum_steps", "micro_batch", NULL},
    {"wd", "weight_decay", NULL},
    {"l2", "weight_decay", NULL},
    {"epoch", "epochs", NULL},
    {"n_epochs", "epochs", NULL},
    {"nepoch", "epochs", NULL},
    {"nepochs", "epochs", NULL},
    {"num_epochs", "epochs", NULL},
    {"max_epochs", "epochs", NULL},
    {"num_train_epochs", "epochs", NULL},
    {"steps", "max_steps", NULL},
    {"num_steps", "max_steps", NULL},
    {"iterations", "max_steps", NULL},
    {"max_iter", "max_steps", NULL},
    {"sched", "scheduler", NULL},
    {"lr_scheduler", "scheduler", NULL},
    {"lr_scheduler_type", "scheduler", NULL},
    {"lr_schedule", "scheduler", NULL},
    {"warmup", "warmup_epochs", NULL},
    {"warmup_steps", "warmup_epochs", NULL},
    {"warmup_ratio", "warmup_epochs", NULL},
    {"opt", "optimizer", NULL},
    {"optim", "optimizer", NULL},
    {"momentum", "beta1", NULL},
    {"betas", "beta1", NULL},
    {"clip_grad", "grad_clip", NULL},
    {"clip_norm", "grad_clip", NULL},
    {"max_grad_norm", "grad_clip", NULL},
    {"gradient_clip_val", "grad_clip", NULL},
    {"smoothing", "loss.label_smoothing", NULL},
    {"ema_decay", "ema", NULL},
    {"model_ema", "ema", NULL},
    {"patience", "early_stopping", NULL},
    {"early_stop", "early_stopping", NULL},
    {"early_stopping_patience", "early_stopping", NULL},
    {"save_freq", "save_every", NULL},
    {"save_steps", "save_every", NULL},
    {"checkpoint_every", "save_every", NULL},
    {"save_top_k", "keep", NULL},
    {"save_total_limit", "keep", NULL},
    {"metric", "monitor", NULL},
    {"metric_for_best_model", "monitor", NULL},
    {"random_seed", "seed", NULL},
    {"manual_seed", "seed", NULL},
    {"manualseed", "seed", NULL},
    {"num_workers", "workers", NULL},
    {"n_workers", "workers", NULL},
    {"nworkers", "workers", NULL},
    {"data_workers", "workers", NULL},
    {"dataloader_num_workers", "workers", NULL},
    {"num_threads", "threads", NULL},
    {"n_threads", "threads", NULL},
    {"jobs", "threads", NULL},
    {"amp", "precision", NULL},
    {"bf16", "precision", NULL},
    {"fp16", "precision", NULL},
    {"dtype", "precision", NULL},
    {"mixed_precision", "precision", NULL},
    {"num_frames", "frames", NULL},
    {"n_frames", "frames", NULL},
    {"frame_num", "frames", NULL},
    {"frames_per_video", "frames", NULL},
    {"aug", "augment", NULL},
    {"augmentation", "augment", NULL},
    {"augmentations", "augment", NULL},
    {"lora", "tune", NULL},
    {"lora_r", "tune", NULL},
    {"rank", "tune", NULL},
    {"tensorboard", "log.tensorboard", NULL},
    {"report_to", "log.tensorboard", NULL},
    {"out", "--out", NULL},
    {"model", "--model", NULL},
    {"adapter", "--adapter", NULL},
    {"train", "--train", NULL},
    {"val", "--val", NULL},
    {"test", "--test", NULL},
    {"resume", "--resume", NULL},
    {"output", "--out", NULL},
    {"output_dir", "--out", NULL},
    {"out_dir", "--out", NULL},
    {"outdir", "--out", NULL},
    {"save_dir", "--out", NULL},
    {"log_dir", "--out", NULL},
    {"logdir", "--out", NULL},
    {"work_dir", "--out", NULL},
    {"run", "--out", NULL},
    {"arch", "--model", NULL},
    {"model_name", "--model", NULL},
    {"model_path", "--model", NULL},
    {"model_name_or_path", "--model", NULL},
    {"backbone", "--model", NULL},
    {"config", "--recipe", NULL},
    {"cfg", "--recipe", NULL},
    {"detector_path", "--recipe", NULL},
    {"resume_from_checkpoint", "--resume", NULL},
    {"auto_resume", "--resume", NULL},
    {"valid", "--val", NULL},
    {"validation", "--val", NULL},
    {"val_list", "--val", NULL},
    {"train_list", "--train", NULL},
    {"initial_checkpoint", "--adapter", NULL},
    {"perturbation", "--perturb", NULL},
    {"corruption", "--perturb", NULL},
    {"silent", "--quiet", NULL},
    {"checkpoint", NULL, WEIGHTS},
    {"ckpt", NULL, WEIGHTS},
    {"ckpt_path", NULL, WEIGHTS},
    {"weights", NULL, WEIGHTS},
    {"weights_path", NULL, WEIGHTS},
    {"pretrained", NULL, WEIGHTS},
    {"data", NULL, DATA},
    {"data_dir", NULL, DATA},
    {"dataset", NULL, DATA},
    {"datasets", NULL, DATA},
    {"train_dataset", NULL, DATA},
    {"test_dataset", NULL, DATA},
    {"data_path", NULL, DATA},
    {"data_root", NULL, LISTS},
    {"dataset_root", NULL, LISTS},
    {"device", NULL, NO_GPU},
    {"devices", NULL, NO_GPU},
    {"accelerator", NULL, NO_GPU},
    {"gpu", NULL, NO_GPU},
    {"gpus", NULL, NO_GPU},
    {"gpu_id", NULL, NO_GPU},
    {"ngpu", NULL, NO_GPU},
    {"cuda", NULL, NO_GPU},
    {"no_cuda", NULL, NO_GPU},
    {"img_size", NULL, NO_SIZE},
    {"image_size", NULL, NO_SIZE},
    {"input_size", NULL, NO_SIZE},
    {"resolution", NULL, NO_SIZE},
    {"freeze", NULL, FREEZING},
    {"freeze_backbone", NULL, FREEZING},
    {"unfreeze", NULL, FREEZING},
};

enum { SYNONYMS = COUNT_OF(synonyms), LONGEST = 63 };

static char folded(char c)
{
    return c == '-' || c == '.' ? '_' : c;
}

bool train_same_name(const char *a, size_t length, const char *b)
{
    while (length > 0 && *a == '-') {
        a++;
        length--;
    }
    b += strspn(b, "-");
    if (strlen(b) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (folded(a[i]) != folded(b[i]))
            return false;
    return true;
}

const TrainSynonym *train_synonym(const char *word)
{
    char lower[LONGEST + 1];
    const size_t length = strlen(word);
    if (length > LONGEST)
        return NULL;
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)tolower((unsigned char)word[i]);
    for (int i = 0; i < SYNONYMS; i++)
        if (train_same_name(lower, length, synonyms[i].word))
            return &synonyms[i];
    return NULL;
}

const TrainSynonym *train_synonym_row(int i)
{
    return i < SYNONYMS ? &synonyms[i] : NULL;
}
