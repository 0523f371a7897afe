/*
 * cli_machine.h - which kernels compute here, and whether the environment holds them back.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_MACHINE_H
#define LNCLIP_TOOLS_CLI_CLI_MACHINE_H

#include "tools/cli/cli.h"

/*
 * Tells our kernels, the library of the matrix product and the core type that it chose. Warns if
 * OPENBLAS_CORETYPE forces it onto kernels of an older instruction set than this processor has.
 */
void cli_tell_machine(const CliArguments *arguments);

/*
 * The value of OPENBLAS_CORETYPE if it forces OpenBLAS onto kernels of an older instruction set
 * than this processor has, else NULL.
 */
const char *cli_machine_forced_core(void);

#endif
