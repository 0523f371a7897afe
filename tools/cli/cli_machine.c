/*
 * cli_machine.c - see cli_machine.h.
 */
#include "tools/cli/cli_machine.h"

#include "tensor/gemm.h"
#include "tensor/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Instruction sets in ascending order of width. */
typedef enum Level { LEVEL_OLDER, LEVEL_AVX2, LEVEL_AVX512 } Level;

/* The instruction set of an OpenBLAS core type (see its TargetList.txt); all others are older. */
static Level core_level(const char *core)
{
    static const char *const avx512[] = {"skylakex", "cooperlake", "sapphirerapids"};
    static const char *const avx2[] = {"haswell", "zen", "excavator"};
    for (size_t i = 0; i < sizeof avx512 / sizeof avx512[0]; i++)
        if (strcasecmp(core, avx512[i]) == 0)
            return LEVEL_AVX512;
    for (size_t i = 0; i < sizeof avx2 / sizeof avx2[0]; i++)
        if (strcasecmp(core, avx2[i]) == 0)
            return LEVEL_AVX2;
    return LEVEL_OLDER;
}

/* The instruction set of our kernels: the processor's, unless LNCLIP_CPU masks it. */
static Level kernel_level(void)
{
    const char *name = kernels()->name;
    if (strcmp(name, "ref") == 0)
        return LEVEL_OLDER;
    return strcmp(name, "avx2") == 0 ? LEVEL_AVX2 : LEVEL_AVX512;
}

const char *cli_machine_forced_core(void)
{
    const char *forced = getenv("OPENBLAS_CORETYPE");
    return forced && core_level(gemm_core()) < kernel_level() ? forced : NULL;
}

void cli_print_machine(const CliArguments *arguments)
{
    cli_note(arguments, "kernels: %s; matrix product: %s, core %s", kernels()->name, gemm_library(),
             gemm_core());
    const char *forced = cli_machine_forced_core();
    if (forced)
        cli_warn("OPENBLAS_CORETYPE=%s: OpenBLAS runs at half the speed of this processor or less; "
                 "unset it",
                 forced);
}
